"""Cancel a job: read no further, and take back what no worker has begun."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, Engine, RowMapping, bindparam, case, delete, func, literal, update

from backend.catalog.dropping import Dropping, note_dropped
from backend.catalog.engine import writing
from backend.catalog.lanes import Lane
from backend.catalog.rows import in_parts, named
from backend.catalog.tables import job_items, jobs, pictures, products
from backend.catalog.tallying import Tally, write_tallies
from backend.catalog.walking import key_of, locked_products, walk_items
from backend.domain.job import Cancelled, ItemState
from backend.ports import Clock


def cancel_job(engine: Engine, merchant: str, job_id: str, clock: Clock) -> Cancelled | None:
    """See `backend.ports.Jobs`. The file of an import that is not read to its end is the caller's to delete."""
    this = (jobs.c.job_id == job_id) & (jobs.c.merchant == merchant)
    with writing(engine) as connection:
        now = clock()
        stop = {
            "cancelled_at": case(
                (
                    jobs.c.finished_at.is_(None),
                    func.coalesce(jobs.c.cancelled_at, literal(now, jobs.c.created_at.type)),
                ),
                else_=jobs.c.cancelled_at,
            ),
            "total": func.coalesce(jobs.c.total, jobs.c.next_row - 1),
            "lease": None,
            "lease_until": None,
        }
        if not connection.execute(update(jobs).where(this).values(stop)).rowcount:
            return None
        write_tallies(connection, {job_id: Tally()}, now)
    withdrawn, going_on = walk_items(
        engine,
        job_id,
        ItemState.PENDING,
        lambda connection, items: _withdraw(connection, job_id, items, clock()),
    )
    return Cancelled(withdrawn, going_on)


def _withdraw(connection: Connection, job_id: str, items: Sequence[RowMapping], now: datetime) -> int:
    rows = locked_products(connection, items)
    new = {
        key_of(item): item["row"]
        for item in items
        if (row := rows.get(key_of(item))) is not None
        and row["version"] == item["version"]
        and _is_new(row, job_id, now)
    }
    if not new:
        return 0
    # The index may hold something of those a worker once had; a worker takes it out again.
    begun = [key for key in new if rows[key]["claimed"]]
    note_dropped(connection, [Dropping(key, rows[key]["version"] + 1) for key in begun])
    for part in in_parts(new):
        connection.execute(delete(pictures).where(named(pictures, part)))
        connection.execute(_DELETE.where(named(products, part)).values(due_at=now, updated_at=now))
    for part in in_parts(set(new) - set(begun)):
        connection.execute(update(products).where(named(products, part)).values(indexed_version=products.c.version))
    connection.execute(_CANCEL_ITEM, [{"of_job": job_id, "of_row": row} for row in new.values()])
    tally = Tally()
    for _ in new:
        tally.move(ItemState.PENDING, ItemState.CANCELLED)
    write_tallies(connection, {job_id: tally}, now)
    return len(new)


def _is_new(row: RowMapping, job_id: str, now: datetime) -> bool:
    """Whether the job made this product, nothing of it was ever searchable, and no worker has it now."""
    held = row["lease"] is not None and row["lease_until"] > now
    never_shown = row["indexed_version"] == 0 and row["searchable_at"] is None
    return never_shown and row["created_by"] == job_id and not row["deleted"] and not held


_DELETE = update(products).values(
    version=products.c.version + 1,
    deleted=True,
    lane=Lane.FACTS.value,
    attempts=0,
    fetches=0,
    code=None,
    detail=None,
    lease=None,
    lease_until=None,
)

_CANCEL_ITEM = (
    update(job_items)
    .where(job_items.c.job_id == bindparam("of_job"), job_items.c.row == bindparam("of_row"))
    .values(state=ItemState.CANCELLED.value)
)
