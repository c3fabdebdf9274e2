"""When a job has ended: its rows are all known and none of them waits."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, exists, select, update

from backend.catalog.rows import named
from backend.catalog.tables import WAITING_ITEM, job_items, jobs
from backend.domain.product import ProductKey


def jobs_waiting_for(connection: Connection, keys: Collection[ProductKey]) -> set[str]:
    """The jobs that have an item waiting for one of these products."""
    found = select(job_items.c.job_id).where(named(job_items, keys), WAITING_ITEM).distinct()
    return set(connection.scalars(found))


def finish(connection: Connection, job_ids: Collection[str], now: datetime) -> None:
    """Set the end of those of these jobs that have ended just now.

    The jobs are locked before their items are looked at: two transactions that each end one of the last two items
    would otherwise both see the other's item still waiting, and the job would never end.
    """
    ordered = sorted(job_ids)
    for start in range(0, len(ordered), _JOBS_PER_STATEMENT):
        some = ordered[start : start + _JOBS_PER_STATEMENT]
        these = jobs.c.job_id.in_(some)
        connection.execute(
            select(jobs.c.job_id).where(these).order_by(jobs.c.job_id).with_for_update(key_share=True)
        ).all()
        waits = exists().where(job_items.c.job_id == jobs.c.job_id, WAITING_ITEM)
        ended = these & jobs.c.finished_at.is_(None) & jobs.c.total.is_not(None) & ~waits
        connection.execute(update(jobs).where(ended).values(finished_at=now))


_JOBS_PER_STATEMENT = 1_000  # as many parameters, see `rows.KEYS_PER_STATEMENT`
