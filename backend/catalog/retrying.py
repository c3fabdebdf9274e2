"""Make the failed products of a job due again."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, bindparam, or_, select, update

from backend.catalog.engine import reading
from backend.catalog.lanes import lane_of
from backend.catalog.rows import in_parts, named, picture_of
from backend.catalog.tables import job_items, jobs, pictures, products
from backend.catalog.tallying import Tally, write_tallies
from backend.catalog.walking import key_of, locked_products, walk_items
from backend.domain.job import ItemState, Retried
from backend.domain.picture import Picture, PictureState
from backend.domain.product import ProductKey
from backend.ports import Clock


def retry_job(engine: Engine, merchant: str, job_id: str, clock: Clock) -> Retried | None:
    """See `backend.ports.Jobs`."""
    with reading(engine) as connection:
        if connection.scalar(select(jobs.c.job_id).where(jobs.c.job_id == job_id, jobs.c.merchant == merchant)) is None:
            return None
    again, left = walk_items(
        engine, job_id, ItemState.FAILED, lambda connection, items: _retry(connection, job_id, items, clock())
    )
    return Retried(again, left)


def _retry(connection: Connection, job_id: str, items: Sequence[RowMapping], now: datetime) -> int:
    rows = locked_products(connection, items)
    failed = {
        key_of(item): item["row"]
        for item in items
        if (row := rows.get(key_of(item))) is not None
        and row["version"] == item["version"]
        and row["code"] is not None
        and not row["deleted"]
    }
    triable = _triable(connection, list(failed))
    if not triable:
        return 0
    for part in in_parts(triable):
        connection.execute(_TRY_PICTURES.where(named(pictures, part)))
    again = [(key, rows[key]["version"] + 1) for key in sorted(triable)]
    connection.execute(_TRY_PRODUCT, [_due_columns(key, triable[key], version, now) for key, version in again])
    connection.execute(
        _TRY_ITEM, [{"of_job": job_id, "of_row": failed[key], "to_version": version} for key, version in again]
    )
    tally = Tally()
    for _ in again:
        tally.move(ItemState.FAILED, ItemState.PENDING)
    write_tallies(connection, {job_id: tally}, now)
    return len(again)


def _triable(connection: Connection, keys: Sequence[ProductKey]) -> dict[ProductKey, list[Picture]]:
    """The pictures that can be tried again, of those products that have any: their bytes or an address are known."""
    found: dict[ProductKey, list[Picture]] = defaultdict(list)
    for part in in_parts(keys):
        for row in connection.execute(select(pictures).where(named(pictures, part), _OBTAINABLE)).mappings():
            found[key_of(row)].append(picture_of(row))
    return found


def _due_columns(key: ProductKey, tried: Sequence[Picture], version: int, now: datetime) -> dict[str, Any]:
    unfetched = [picture for picture in tried if picture.content_hash is None]
    lane = lane_of((Picture(None, PictureState.PENDING, url=picture.url) for picture in unfetched), bulk=True)
    return {
        "at_merchant": key.merchant,
        "at_product_id": key.product_id,
        "version": version,
        "lane": lane.value,
        "due_at": now,
        "updated_at": now,
    }


_OBTAINABLE = or_(pictures.c.content_hash.is_not(None), pictures.c.url.is_not(None))

_TRY_PICTURES = update(pictures).where(_OBTAINABLE).values(state=PictureState.PENDING.value, code=None, detail=None)

_TRY_PRODUCT = (
    update(products)
    .where(products.c.merchant == bindparam("at_merchant"), products.c.product_id == bindparam("at_product_id"))
    .values(code=None, detail=None, attempts=0, fetches=0)
)

_TRY_ITEM = (
    update(job_items)
    .where(job_items.c.job_id == bindparam("of_job"), job_items.c.row == bindparam("of_row"))
    .values(state=ItemState.PENDING.value, version=bindparam("to_version"), code=None, detail=None, attempts=0)
)
