"""The tables, and the conditions that queries share with the partial indexes made for them.

An index with a condition holds only the rows still to be worked on, so a claim costs the same with a hundred settled
products as with a million. SQLite uses such an index only for a query that repeats the condition word for word,
without bound parameters; so the conditions are written once, here, and their constants are rendered into the SQL.
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    Dialect,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    literal_column,
    text,
)
from sqlalchemy.types import TypeDecorator

from backend.domain.job import ItemState
from backend.domain.picture import PictureState

NO = text("false")  # defaults of columns that came later: rows written before have this
NONE_YET = text("0")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class UtcTime(TypeDecorator[datetime]):
    """A moment, kept as whole microseconds since 1970 UTC.

    SQLite has no type for time and would lose the zone; an integer is exact, sorts by time and reads the same in every
    database. A datetime without a zone is refused (ValueError): it would be off by the server's zone.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's
        """Datetime -> microseconds."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time in the catalog needs its zone")
        return (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Microseconds -> datetime in UTC."""
        return None if value is None else _EPOCH + value * _MICROSECOND


# Every constraint has a name, so that a later migration can alter it on both databases.
metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

products = Table(
    "products",
    metadata,
    Column("merchant", Text, primary_key=True),
    Column("product_id", Text, primary_key=True),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("brand", Text, nullable=False),
    # An exact decimal in two integers: 19.90 is 199000 ten-thousandths written with 2 places. SQLite's own decimals are
    # floats; ten-thousandths alone would give the merchant's 19.90 back as 19.9000.
    Column("price_units", BigInteger),
    Column("price_places", SmallInteger),
    Column("currency", Text),
    Column("in_stock", Boolean, nullable=False),
    Column("url", Text, nullable=False),
    Column("attributes", JSON, nullable=False),
    # `version` counts what merchants asked for and never goes back, through deletes too; `indexed_version` is the last
    # one reconciled, 0 for none. A row is due while it is behind.
    Column("version", BigInteger, nullable=False),
    Column("indexed_version", BigInteger, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("code", Text),
    Column("detail", Text),
    Column("lane", SmallInteger, nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Column("lease", Text),
    Column("lease_until", UtcTime),
    Column("attempts", Integer, nullable=False),
    Column("searchable_at", UtcTime),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    # Tries to fetch the pictures of this version in vain; and whether any worker ever held the product: one that none
    # did is nowhere in the index.
    Column("fetches", Integer, nullable=False, server_default=NONE_YET),
    Column("claimed", Boolean, nullable=False, server_default=NO),
    Column("created_by", Text),  # the job that made it
    Column("indexed_at", UtcTime),  # when the index was last told of it
    CheckConstraint("indexed_version <= version", name="index_not_ahead"),
)

pictures = Table(
    "pictures",
    metadata,
    Column("merchant", Text, primary_key=True),
    Column("product_id", Text, primary_key=True),
    Column("position", SmallInteger, primary_key=True, autoincrement=False),
    Column("content_hash", Text),
    Column("state", Text, nullable=False),
    Column("code", Text),
    Column("detail", Text),
    Column("name", Text),
    Column("url", Text),
    ForeignKeyConstraint(["merchant", "product_id"], ["products.merchant", "products.product_id"]),
)

# Pictures a product no longer has, which the index may still hold, and the product's version that has them no more.
dropped_pictures = Table(
    "dropped_pictures",
    metadata,
    Column("merchant", Text, primary_key=True),
    Column("product_id", Text, primary_key=True),
    Column("content_hash", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    ForeignKeyConstraint(["merchant", "product_id"], ["products.merchant", "products.product_id"]),
)

# How far each merchant's turns at a kind of work are, see `backend.domain.fairness`: one row a kind, made by the
# migration, because claims lock it.
turns = Table(
    "turns",
    metadata,
    Column("work", Text, primary_key=True),
    Column("virtual_time", Float, nullable=False),
    Column("passes", JSON, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("job_id", Text, primary_key=True),
    Column("merchant", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("finished_at", UtcTime),
    Column("total", BigInteger),
    Column("code", Text),
    Column("detail", Text),
    # Of imports: the blob that is read, the first row not read yet, and whose turn it is.
    Column("source", Text),
    Column("next_row", BigInteger, nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Column("lease", Text),
    Column("lease_until", UtcTime),
    Column("attempts", Integer, nullable=False, server_default=NONE_YET),
    Column("options", JSON),
    # How many items are in each state: counting those of a large job took 22 ms, and everybody who waits asks for it.
    *(Column(f"{state}_items", BigInteger, nullable=False, server_default=NONE_YET) for state in ItemState),
    # Pictures of its items, and when the first and the last item were settled.
    Column("embedded", BigInteger, nullable=False, server_default=NONE_YET),
    Column("reused", BigInteger, nullable=False, server_default=NONE_YET),
    Column("first_settled_at", UtcTime),
    Column("last_settled_at", UtcTime),
    Column("cancelled_at", UtcTime),
)

job_items = Table(
    "job_items",
    metadata,
    Column("job_id", Text, ForeignKey("jobs.job_id"), primary_key=True),
    Column("row", BigInteger, primary_key=True, autoincrement=False),
    Column("merchant", Text, nullable=False),
    Column("product_id", Text),
    Column("version", BigInteger),
    Column("state", Text, nullable=False),
    Column("field", Text),
    Column("code", Text),
    Column("detail", Text),
    Column("searchable_at", UtcTime),
    Column("line", BigInteger),
    Column("attempts", Integer, nullable=False, server_default=NONE_YET),
)

receipts = Table(
    "receipts",
    metadata,
    Column("merchant", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("job_id", Text, ForeignKey("jobs.job_id"), nullable=False),
    Column("status", Integer),
    Column("answer", Text),
    Column("created_at", UtcTime, nullable=False),
)

# By sha-256 of the address: it may have 2,000 characters, and an index would hold it twice.
fetched_urls = Table(
    "fetched_urls",
    metadata,
    Column("url_hash", Text, primary_key=True),
    Column("content_hash", Text, nullable=False),
    Column("etag", Text),
    Column("last_modified", Text),
    Column("fetched_at", UtcTime, nullable=False),
)

# Generations of the index. No row: the first serves, and its encoder was never changed. `held_until` stands with the
# one that serves: until then nothing is written to it, for another is about to take its place.
generations = Table(
    "generations",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("dimension", Integer, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("told_before", UtcTime, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("done", BigInteger, nullable=False),
    Column("after_merchant", Text),
    Column("after_product_id", Text),
    Column("filled", Boolean, nullable=False),
    Column("gaps", JSON, nullable=False),
    Column("detail", Text),
    Column("comparison", JSON, nullable=False),
    Column("served_at", UtcTime),
    Column("held_until", UtcTime),
    Column("updated_at", UtcTime),
)


DUE: ColumnElement[bool] = products.c.indexed_version < products.c.version
LEASED: ColumnElement[bool] = products.c.lease.is_not(None)
LIVE: ColumnElement[bool] = ~products.c.deleted
FAILED: ColumnElement[bool] = products.c.code.is_not(None)
# IS where LIVE has "=": for SQLite that is another condition, so it cannot take the index of all live products for it.
_NOT_DELETED: ColumnElement[bool] = products.c.deleted.is_(False)
# One that is due and has a code was set aside, and the index is still to be cleared of it.
PENDING_PRODUCT: ColumnElement[bool] = _NOT_DELETED & DUE & ~FAILED
FAILED_PRODUCT: ColumnElement[bool] = _NOT_DELETED & FAILED
# A delete that was given up is still to be hidden from searches: the index may hold the product.
GONE_BUT_INDEXED: ColumnElement[bool] = products.c.deleted & (DUE | FAILED)
SEARCHABLE_PICTURE: ColumnElement[bool] = pictures.c.state == literal_column(f"'{PictureState.SEARCHABLE}'", Text)
WAITING_ITEM: ColumnElement[bool] = job_items.c.state == literal_column(f"'{ItemState.PENDING}'", Text)
UNREAD_IMPORT: ColumnElement[bool] = jobs.c.total.is_(None)


def _index(name: str, *columns: Column[object], where: ColumnElement[bool] | None = None) -> None:
    Index(name, *columns, sqlite_where=where, postgresql_where=where)


_p, _i = products.c, job_items.c
# By merchant before time: a claim steps from merchant to merchant, whatever one of them has waiting.
_index("ix_products_due", _p.lane, _p.merchant, _p.due_at, _p.product_id, where=DUE)
_index("ix_products_leased", _p.lease_until, where=LEASED)
_index("ix_products_indexed", _p.indexed_at)
_index("ix_products_gone", _p.merchant, _p.product_id, where=GONE_BUT_INDEXED)
# Counting 100,000 products of a merchant row by row took 1.5 s; from these indexes it takes 0.04 s.
_index("ix_products_live", _p.merchant, where=LIVE)
_index("ix_products_pending", _p.merchant, where=PENDING_PRODUCT)
_index("ix_products_failed", _p.merchant, where=FAILED_PRODUCT)
_index("ix_pictures_searchable", pictures.c.merchant, where=SEARCHABLE_PICTURE)
_index("ix_pictures_content", pictures.c.content_hash, pictures.c.merchant)
_index("ix_jobs_unread", jobs.c.due_at, where=UNREAD_IMPORT)
_index("ix_jobs_finished", jobs.c.finished_at)
_index("ix_receipts_created", receipts.c.created_at)
# A job that goes is looked for among the receipts, which refer to it.
_index("ix_receipts_job", receipts.c.job_id)
_index("ix_fetched_urls_fetched", fetched_urls.c.fetched_at)
_index("ix_job_items_state", _i.job_id, _i.state, _i.row)
_index("ix_job_items_waiting", _i.merchant, _i.product_id, where=WAITING_ITEM)
