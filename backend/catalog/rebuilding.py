"""Make everything due: the index is built anew and knows nothing."""

from datetime import datetime

from sqlalchemy import Connection, case, literal, select, text, update

from backend.catalog.acceptance import Lane
from backend.catalog.finishing import finish, jobs_waiting_for
from backend.catalog.rows import in_parts, named
from backend.catalog.tables import DUE, GONE_BUT_INDEXED, LIVE, WAITING_ITEM, UtcTime, job_items, pictures, products
from backend.domain.job import ItemState
from backend.domain.picture import PictureState
from backend.domain.product import ProductKey

_UNJUDGED = {"code": None, "detail": None, "lease": None, "lease_until": None, "attempts": 0}


def make_all_due(connection: Connection, now: datetime) -> int:
    """How many products became due: every live one. Deleted ones are settled: a new index has nothing of them.

    They are due in the lane of imports, those that waited already first. Every row is rewritten, and nobody else can
    write meanwhile.
    """
    if connection.dialect.name == "postgresql":
        # Every row is written, in no order: row by row this could wait in a circle with the transactions of others.
        connection.execute(text("LOCK TABLE products IN EXCLUSIVE MODE"))
    _settle_deleted(connection, now)
    again = {"state": PictureState.PENDING.value, "code": None, "detail": None}
    connection.execute(update(pictures).where(pictures.c.content_hash.is_not(None)).values(**again))
    since = case((DUE, products.c.due_at), else_=literal(now, UtcTime()))
    due = {"indexed_version": 0, "lane": Lane.IMPORT.value, "due_at": since, **_UNJUDGED}
    return connection.execute(update(products).where(LIVE).values(**due)).rowcount


def _settle_deleted(connection: Connection, now: datetime) -> None:
    gone = connection.execute(select(products.c.merchant, products.c.product_id).where(GONE_BUT_INDEXED)).all()
    for part in in_parts(ProductKey(*row) for row in gone):
        ended = jobs_waiting_for(connection, part)
        waiting = named(job_items, part) & WAITING_ITEM
        connection.execute(update(job_items).where(waiting).values(state=ItemState.DELETED.value))
        settled = {"indexed_version": products.c.version, **_UNJUDGED}
        connection.execute(update(products).where(named(products, part)).values(**settled))
        finish(connection, ended, now)
