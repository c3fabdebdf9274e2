"""`SqlLedger`: the port `Ledger`. The queue is a condition on the products' rows, so it cannot disagree with them."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    RowMapping,
    Select,
    Table,
    bindparam,
    case,
    func,
    or_,
    select,
    update,
)

from backend.catalog.engine import reading, writing
from backend.catalog.rebuilding import make_all_due
from backend.catalog.rows import in_parts, named, picture_of
from backend.catalog.settling import settle_claims
from backend.catalog.tables import DUE, UNREAD_IMPORT, jobs, pictures, products
from backend.domain.picture import Picture, PictureState
from backend.domain.product import ProductKey
from backend.errors import WorkerLost
from backend.ports import Claim, Clock, Outcome


class SqlLedger:
    """Claims, see `backend.ports.Ledger`. Safe to share between threads and processes."""

    def __init__(self, engine: Engine, clock: Clock, max_attempts: int = 3) -> None:
        """`max_attempts`: claims that may end without a word before the product is set aside.

        One is no proof (the worker may have died of another product), and each costs a restart of the worker.
        """
        self._engine = engine
        self._clock = clock
        self._max_attempts = max_attempts

    def claim(self, limit: int, lease_seconds: float) -> list[Claim]:
        """See the port. A product that used up its attempts is settled here as failed with `worker_lost`."""
        now = self._clock()
        until = now + timedelta(seconds=lease_seconds)
        with writing(self._engine) as connection:
            while rows := _free(connection, limit, now):
                lost = [row for row in rows if row["attempts"] >= self._max_attempts]
                if lost:
                    outcomes = [_loss(connection, claim) for claim in _lease(connection, lost, until)]
                    settle_claims(connection, outcomes, now)
                if len(lost) < len(rows):
                    batch = _batch([row for row in rows if row["attempts"] < self._max_attempts])
                    return _lease(connection, batch, until)
        return []

    def settle(self, outcomes: Sequence[Outcome]) -> None:
        """See the port."""
        if outcomes:
            with writing(self._engine) as connection:
                settle_claims(connection, outcomes, self._clock())

    def release(self, claims: Sequence[Claim]) -> None:
        """See the port."""
        if claims:
            with writing(self._engine) as connection:
                connection.execute(_RELEASE, [_place(claim) for claim in sorted(claims, key=lambda claim: claim.key)])

    def return_leases(self, *, expired_only: bool = True) -> int:
        """See the port. The attempts stay counted: the worker may have died of the product."""
        before = self._clock() if expired_only else None
        with writing(self._engine) as connection:
            keys = [ProductKey(*row) for row in connection.execute(_over(products, before))]
            for part in in_parts(keys):
                connection.execute(update(products).where(named(products, part)).values(**_NO_LEASE))
            job_ids = connection.scalars(_over(jobs, before).where(UNREAD_IMPORT)).all()
            if job_ids:
                connection.execute(update(jobs).where(jobs.c.job_id.in_(job_ids)).values(**_NO_LEASE))
        return len(keys) + len(job_ids)

    def due(self) -> int:
        """See the port."""
        with reading(self._engine) as connection:
            return connection.scalar(select(func.count()).where(DUE)) or 0

    def mark_all_due(self) -> int:
        """See the port. Leases end: what is embedded now goes into the index that is given up."""
        with writing(self._engine) as connection:
            return make_all_due(connection, self._clock())


_NO_LEASE = {"lease": None, "lease_until": None}

_THIS = (products.c.merchant == bindparam("at_merchant")) & (products.c.product_id == bindparam("at_product_id"))

_LEASE = update(products).where(_THIS).values(attempts=products.c.attempts + 1)

_RELEASE = (
    update(products)
    .where(_THIS, products.c.lease == bindparam("of_lease"))
    # A change accepted meanwhile has set the count to 0 already.
    .values(**_NO_LEASE, attempts=case((products.c.attempts > 0, products.c.attempts - 1), else_=0))
)


def _free(connection: Connection, limit: int, now: datetime) -> Sequence[RowMapping]:
    """The first due products that nobody holds, locked.

    On PostgreSQL rows that another worker is just claiming are passed over instead of waited for; on SQLite nobody else
    can be in the middle of a claim.
    """
    p = products.c
    free = or_(p.lease.is_(None), p.lease_until <= now)
    first = select(p.merchant, p.product_id, p.version, p.attempts).where(DUE, free)
    in_order = first.order_by(p.lane, p.due_at, p.merchant, p.product_id).limit(limit)
    return connection.execute(in_order.with_for_update(skip_locked=True, key_share=True)).mappings().all()


def _batch(rows: Sequence[RowMapping]) -> Sequence[RowMapping]:
    """What may be worked on together.

    A product whose last worker did not come back is alone, so that it takes no other with it; such products behind the
    first wait until they are first.
    """
    if rows[0]["attempts"]:
        return rows[:1]
    return [row for row in rows if not row["attempts"]]


def _lease(connection: Connection, rows: Sequence[RowMapping], until: datetime) -> list[Claim]:
    lease = secrets.token_hex(16)
    claims = [
        Claim(ProductKey(row["merchant"], row["product_id"]), row["version"], lease, row["attempts"] + 1)
        for row in rows
    ]
    connection.execute(
        _LEASE,
        [
            {"at_merchant": key.merchant, "at_product_id": key.product_id, "lease": lease, "lease_until": until}
            for key in (claim.key for claim in claims)
        ],
    )
    return claims


def _place(claim: Claim) -> dict[str, str]:
    return {"at_merchant": claim.key.merchant, "at_product_id": claim.key.product_id, "of_lease": claim.lease}


def _loss(connection: Connection, claim: Claim) -> Outcome:
    """The end of a product that ends its workers.

    Its pictures that were never judged count as refused: a change of the price alone would otherwise hand them to the
    next worker.
    """
    waiting = select(pictures).where(named(pictures, [claim.key]), pictures.c.state == PictureState.PENDING.value)
    refused = tuple(
        Picture(picture_of(row).content_hash, PictureState.FAILED, WorkerLost.code, WorkerLost.mend)
        for row in connection.execute(waiting).mappings()
    )
    return Outcome(claim, refused, code=WorkerLost.code, detail=WorkerLost.mend)


def _over(table: Table, before: datetime | None) -> Select[Any]:
    """The keys of rows whose lease ran out before a moment (None: of all leased ones), but for those just settled."""
    over: ColumnElement[bool] = table.c.lease.is_not(None)
    if before is not None:
        over &= table.c.lease_until <= before
    return select(*table.primary_key.columns).where(over).with_for_update(skip_locked=True, key_share=True)
