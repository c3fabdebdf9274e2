"""Make due what an index does not hold: all of it (it is new, or lost a part), or what was written to it last."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, case, exists, literal, text, update

from backend.catalog.lanes import Lane
from backend.catalog.rows import in_parts, named
from backend.catalog.tables import DUE, GONE_BUT_INDEXED, LIVE, UtcTime, pictures, products
from backend.domain.picture import PictureState
from backend.domain.product import ProductKey
from backend.errors import Poison

_UNJUDGED = {"code": None, "detail": None, "lease": None, "lease_until": None, "attempts": 0}


def make_all_due(connection: Connection, now: datetime) -> int:
    """How many products became due: every live one, and every delete the index may not have followed.

    Live ones are due in the lane of imports, those that waited already first. Deletes, and the notes of dropped
    pictures, are kept: an index that lost a part still holds the rest, and a new one takes a few tombstones for
    nothing. Every row is rewritten, and nobody else can write meanwhile.
    """
    keep_others_out(connection)
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


def make_due_since(connection: Connection, moment: datetime, now: datetime) -> int:
    """How many products became due: those settled since a moment, live or deleted, that do not wait anyway.

    Live ones wait with the uploads: their owners were told that they are searchable, so no import comes before them,
    and pictures the index lost are embedded there without holding up new prices. Their pictures keep their states, as
    most of them will turn out to be there.
    """
    keep_others_out(connection)
    return make_due(connection, (products.c.indexed_at >= moment) & ~DUE, now)


def make_due(connection: Connection, which: ColumnElement[bool], now: datetime) -> int:
    """The same for other rows that were settled. Nobody else may write meanwhile, see `keep_others_out`."""
    lane = case((LIVE, Lane.UPLOAD.value), else_=Lane.FACTS.value)
    due = {"indexed_version": 0, "due_at": now, "lane": lane, **_UNJUDGED}
    # What was set aside is cleared from the index again, and not tried.
    kept = {name: case((products.c.code == Poison.code, products.c[name]), else_=None) for name in ("code", "detail")}
    return connection.execute(update(products).where(which).values(**due | kept)).rowcount


def make_clearable(connection: Connection, keys: Sequence[ProductKey], now: datetime) -> None:
    """Products that were just set aside become due for new facts alone: a worker takes out of the index what those that
    ended, or an earlier version, left there.
    """
    due = {"indexed_version": products.c.version - 1, "lane": Lane.FACTS.value, "due_at": now}
    for part in in_parts(keys):
        connection.execute(update(products).where(named(products, part)).values(**due))


def keep_others_out(connection: Connection) -> None:
    """Rows are written in no order here: row by row this could wait in a circle with the transactions of others."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE products IN EXCLUSIVE MODE"))
