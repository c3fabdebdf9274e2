"""Make everything due: the index is built anew and knows nothing."""

from collections import defaultdict
from datetime import datetime

from sqlalchemy import Connection, case, delete, exists, literal, select, text, update

from backend.catalog.lanes import Lane
from backend.catalog.rows import in_parts, named
from backend.catalog.tables import (
    DUE,
    GONE_BUT_INDEXED,
    LIVE,
    WAITING_ITEM,
    UtcTime,
    dropped_pictures,
    job_items,
    pictures,
    products,
)
from backend.catalog.tallying import Tally, write_tallies
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
    connection.execute(delete(dropped_pictures))
    again = {"state": PictureState.PENDING.value, "code": None, "detail": None}
    connection.execute(update(pictures).where(pictures.c.content_hash.is_not(None)).values(**again))
    since = case((DUE, products.c.due_at), else_=literal(now, UtcTime()))
    unfetched = exists().where(
        pictures.c.merchant == products.c.merchant,
        pictures.c.product_id == products.c.product_id,
        pictures.c.state == PictureState.PENDING.value,
        pictures.c.content_hash.is_(None),
        pictures.c.url.is_not(None),
    )
    lane = case((unfetched, Lane.FETCH_IMPORT.value), else_=Lane.IMPORT.value)
    due = {"indexed_version": 0, "lane": lane, "due_at": since, **_UNJUDGED}
    return connection.execute(update(products).where(LIVE).values(**due)).rowcount


def _settle_deleted(connection: Connection, now: datetime) -> None:
    gone = connection.execute(select(products.c.merchant, products.c.product_id).where(GONE_BUT_INDEXED)).all()
    tallies: dict[str, Tally] = defaultdict(Tally)
    for part in in_parts(ProductKey(*row) for row in gone):
        waiting = named(job_items, part) & WAITING_ITEM
        ended = update(job_items).where(waiting).values(state=ItemState.DELETED.value)
        for job_id in connection.scalars(ended.returning(job_items.c.job_id)):
            tallies[job_id].move(ItemState.PENDING, ItemState.DELETED)
        settled = {"indexed_version": products.c.version, **_UNJUDGED}
        connection.execute(update(products).where(named(products, part)).values(**settled))
    write_tallies(connection, tallies, now)
