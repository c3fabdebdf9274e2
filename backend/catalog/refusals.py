"""Try again what one encoder refused, when the index of another one serves again."""

from datetime import datetime

from sqlalchemy import Connection, case, exists, literal, or_, select, update

from backend.catalog.lanes import Lane
from backend.catalog.rows import in_parts, named
from backend.catalog.tables import DUE, LIVE, UtcTime, pictures, products
from backend.domain.picture import PictureState
from backend.domain.product import ProductKey
from backend.errors import Poison

_REFUSED = (
    (pictures.c.state == PictureState.FAILED.value)
    & pictures.c.content_hash.is_not(None)
    & or_(pictures.c.code.is_(None), pictures.c.code != Poison.code)
)
"""Its bytes are here and it ended no worker."""


def try_refused_again(connection: Connection, now: datetime) -> int:
    """How many products became due: those with pictures that were refused, but for what was set aside.

    As a new version: the index may hold a tombstone of this one. A product that is due has a version the index was not
    told yet, for which its job waits; what is due and has a code is to be cleared from the index, and is left alone.
    Nobody else may write meanwhile, see `rebuilding.keep_others_out`.
    """
    p = products.c
    refused = exists().where(pictures.c.merchant == p.merchant, pictures.c.product_id == p.product_id, _REFUSED)
    triable = case((DUE, p.code.is_(None)), else_=or_(p.code.is_(None), p.code != Poison.code))
    found = connection.execute(select(p.merchant, p.product_id, DUE.label("due")).where(LIVE, refused, triable)).all()
    again = {"lane": Lane.UPLOAD.value, "code": None, "detail": None, "attempts": 0, "fetches": 0}
    version = case((DUE, p.version), else_=p.version + 1)
    since = case((DUE, p.due_at), else_=literal(now, UtcTime()))
    for part in in_parts([ProductKey(row.merchant, row.product_id) for row in found]):
        of_these = update(products).where(named(products, part))
        connection.execute(of_these.values(**again, version=version, due_at=since, updated_at=now))
        unjudged = {"state": PictureState.PENDING.value, "code": None, "detail": None}
        connection.execute(update(pictures).where(named(pictures, part), _REFUSED).values(**unjudged))
    return sum(not row.due for row in found)
