"""Make everything due: the index is built anew, or it lost a part and nobody knows which."""

from datetime import datetime

from sqlalchemy import Connection, case, exists, literal, text, update

from backend.catalog.lanes import Lane
from backend.catalog.tables import DUE, GONE_BUT_INDEXED, LIVE, UtcTime, pictures, products
from backend.domain.picture import PictureState

_UNJUDGED = {"code": None, "detail": None, "lease": None, "lease_until": None, "attempts": 0}


def make_all_due(connection: Connection, now: datetime) -> int:
    """How many products became due: every live one, and every delete the index may not have followed.

    Live ones are due in the lane of imports, those that waited already first. Deletes, and the notes of dropped
    pictures, are kept: an index that lost a part still holds the rest, and a new one takes a few tombstones for
    nothing. Every row is rewritten, and nobody else can write meanwhile.
    """
    if connection.dialect.name == "postgresql":
        # Every row is written, in no order: row by row this could wait in a circle with the transactions of others.
        connection.execute(text("LOCK TABLE products IN EXCLUSIVE MODE"))
    again = {"state": PictureState.PENDING.value, "code": None, "detail": None}
    connection.execute(update(pictures).where(pictures.c.content_hash.is_not(None)).values(**again))
    unfetched = exists().where(
        pictures.c.merchant == products.c.merchant,
        pictures.c.product_id == products.c.product_id,
        pictures.c.state == PictureState.PENDING.value,
        pictures.c.content_hash.is_(None),
        pictures.c.url.is_not(None),
    )
    lane = case((unfetched, Lane.FETCH_IMPORT.value), else_=Lane.IMPORT.value)
    since = case((DUE, products.c.due_at), else_=literal(now, UtcTime()))
    due = {"indexed_version": 0, "due_at": since, **_UNJUDGED}
    live = connection.execute(update(products).where(LIVE).values(**due, lane=lane)).rowcount
    gone = connection.execute(update(products).where(GONE_BUT_INDEXED).values(**due, lane=Lane.FACTS.value)).rowcount
    return live + gone
