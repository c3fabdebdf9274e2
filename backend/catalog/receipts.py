"""`SqlReceipts`: the port `Receipts`.

A receipt is written in the transaction that makes its job, so both are there or neither.
"""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Engine, select, update
from sqlalchemy.dialects import postgresql, sqlite

from backend.catalog.engine import reading, writing
from backend.catalog.forgetting import forget_rows
from backend.catalog.tables import receipts
from backend.domain.work import KeptReceipt, Receipt
from backend.errors import RepeatedRequest
from backend.ports import Clock

KEPT = timedelta(days=1)


class SqlReceipts:
    """Answers to requests with an `Idempotency-Key`, see `backend.ports.Receipts`. Safe to share between threads."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def receipt(self, merchant: str, key: str) -> KeptReceipt | None:
        """See the port."""
        kept = select(receipts).where(_named(merchant, key), receipts.c.created_at > self._clock() - KEPT)
        with reading(self._engine) as connection:
            row = connection.execute(kept).mappings().first()
        if row is None:
            return None
        return KeptReceipt(Receipt(merchant, key, row["fingerprint"]), row["job_id"], row["status"], row["answer"])

    def keep_answer(self, receipt: Receipt, status: int, answer: str) -> None:
        """See the port. Another request's receipt under the same key, a day later, is not this one."""
        this = _named(receipt.merchant, receipt.key) & (receipts.c.fingerprint == receipt.fingerprint)
        with writing(self._engine) as connection:
            connection.execute(update(receipts).where(this).values(status=status, answer=answer))

    def forget_receipts(self) -> int:
        """See the port."""
        return forget_rows(self._engine, receipts, receipts.c.created_at <= self._clock() - KEPT)


def insert_receipt(connection: Connection, receipt: Receipt, job_id: str, now: datetime) -> None:
    """Keep a receipt for a job that was just made, in place of one older than a day.

    Raises `errors.RepeatedRequest`. Of two requests that come at once, the second waits here for the first's commit.
    """
    row = {
        "merchant": receipt.merchant,
        "key": receipt.key,
        "fingerprint": receipt.fingerprint,
        "job_id": job_id,
        "status": None,
        "answer": None,
        "created_at": now,
    }
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(receipts).values(row)
    kept = insert.on_conflict_do_update(
        index_elements=[receipts.c.merchant, receipts.c.key],
        set_={name: insert.excluded[name] for name in row},
        where=receipts.c.created_at <= now - KEPT,
    )
    if connection.execute(kept.returning(receipts.c.key)).first() is None:
        raise RepeatedRequest(f"the Idempotency-Key {receipt.key!r} was used already")


def _named(merchant: str, key: str) -> ColumnElement[bool]:
    return (receipts.c.merchant == merchant) & (receipts.c.key == key)
