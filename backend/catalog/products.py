"""`SqlCatalog`: the port `Catalog`."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, Connection, Engine, Table, exists, func, insert, select

from backend.catalog.acceptance import accept_changes, new_job_id
from backend.catalog.engine import reading, writing
from backend.catalog.receipts import insert_receipt
from backend.catalog.rows import KEYS_PER_STATEMENT, in_parts, named, picture_of, record_of
from backend.catalog.tables import (
    FAILED_PRODUCT,
    GONE_BUT_INDEXED,
    LIVE,
    PENDING_PRODUCT,
    SEARCHABLE_PICTURE,
    dropped_pictures,
    jobs,
    pictures,
    products,
)
from backend.catalog.tallying import write_tallies
from backend.domain.job import JobKind
from backend.domain.picture import Picture
from backend.domain.product import ProductKey, ProductRecord, ProductState
from backend.domain.work import Accepted, Change, Receipt
from backend.ports import Clock


class SqlCatalog:
    """Products and their pictures, see `backend.ports.Catalog`. Safe to share between threads."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def accept(self, changes: Sequence[Change], kind: JobKind, receipt: Receipt | None = None) -> list[Accepted]:
        """One job, one transaction. All changes are of one merchant and of different rows (ValueError otherwise).

        Raises `errors.ProductNotFound` when facts alone are sent for a product that is not there, `errors.Conflict`
        when a product is not at the expected version, `errors.RepeatedRequest`; then nothing was changed.
        """
        if not changes:
            return []
        [merchant, *others] = {change.key.merchant for change in changes}
        if others or len({change.row for change in changes}) < len(changes):
            raise ValueError("the changes of a job belong to one merchant and to different rows")
        now = self._clock()
        job_id = new_job_id(now)
        job = {"job_id": job_id, "merchant": merchant, "kind": kind.value, "created_at": now, "total": len(changes)}
        with writing(self._engine) as connection:
            connection.execute(insert(jobs).values(**job, next_row=len(changes) + 1, due_at=now))
            if receipt is not None:
                insert_receipt(connection, receipt, job_id, now)
            accepted, tallies = accept_changes(connection, job_id, changes, now, bulk=kind is JobKind.IMPORT)
            write_tallies(connection, tallies, now)
        return accepted

    def product(self, key: ProductKey) -> ProductRecord | None:
        """One row, or None."""
        return next(iter(self.products([key])), None)

    def products(self, keys: Sequence[ProductKey]) -> list[ProductRecord]:
        """Rows and pictures of one moment."""
        with reading(self._engine) as connection:
            return [record for part in in_parts(keys) for record in _records(connection, part)]

    def owns_image(self, merchant: str, content_hash: str) -> bool:
        """A deleted product has no rows in `pictures`, so any row will do."""
        owned = exists().where(pictures.c.merchant == merchant, pictures.c.content_hash == content_hash)
        with reading(self._engine) as connection:
            return bool(connection.scalar(select(owned)))

    def referenced(self, content_hashes: Sequence[str]) -> set[str]:
        """Whatever merchant it is of, as a picture's bytes are kept once for all of them."""
        found: set[str] = set()
        wanted = sorted(set(content_hashes))
        with reading(self._engine) as connection:
            for start in range(0, len(wanted), KEYS_PER_STATEMENT):
                some = pictures.c.content_hash.in_(wanted[start : start + KEYS_PER_STATEMENT])
                found |= set(connection.scalars(select(pictures.c.content_hash).where(some).distinct()))
        return found

    def deleted_but_indexed(self, merchant: str, limit: int) -> list[str]:
        """Answered from an index that holds nothing else: every search asks this."""
        gone = select(products.c.product_id).where(GONE_BUT_INDEXED, products.c.merchant == merchant).limit(limit)
        with reading(self._engine) as connection:
            return list(connection.scalars(gone))

    def count(self, merchant: str | None = None) -> Mapping[str, int]:
        """Counts of one moment, each from an index that holds what is counted."""
        with reading(self._engine) as connection:
            live, pending, failed = (
                _count(connection, products, which, merchant) for which in (LIVE, PENDING_PRODUCT, FAILED_PRODUCT)
            )
            shown = _count(connection, pictures, SEARCHABLE_PICTURE, merchant)
        return {
            ProductState.PENDING.value: pending,
            ProductState.SEARCHABLE.value: live - pending - failed,
            ProductState.FAILED.value: failed,
            "pictures": shown,
        }

    def ping(self) -> None:
        """Reads a table: connecting alone would not notice a missing or foreign file."""
        with reading(self._engine) as connection:
            connection.execute(select(products.c.merchant).limit(1)).all()


def _records(connection: Connection, keys: Sequence[ProductKey]) -> list[ProductRecord]:
    rows = connection.execute(select(products).where(named(products, keys))).mappings().all()
    shown: dict[tuple[str, str], list[Picture]] = defaultdict(list)
    in_order = select(pictures).where(named(pictures, keys)).order_by(pictures.c.position)
    for row in connection.execute(in_order).mappings():
        shown[row["merchant"], row["product_id"]].append(picture_of(row))
    gone: dict[tuple[str, str], list[str]] = defaultdict(list)
    d = dropped_pictures.c
    noted = select(d.merchant, d.product_id, d.content_hash).where(named(dropped_pictures, keys))
    for merchant, product_id, content_hash in connection.execute(noted.order_by(d.content_hash)):
        gone[merchant, product_id].append(content_hash)
    found = [((row["merchant"], row["product_id"]), row) for row in rows]
    return [record_of(row, tuple(shown[key]), tuple(gone[key])) for key, row in found]


def _count(connection: Connection, table: Table, which: ColumnElement[bool], merchant: str | None) -> int:
    counted = select(func.count()).select_from(table).where(which)
    if merchant is not None:
        counted = counted.where(table.c.merchant == merchant)
    return connection.scalar(counted) or 0
