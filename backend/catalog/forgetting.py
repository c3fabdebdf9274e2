"""Remove what is old in parts: a million rows in one transaction would keep everybody else from writing."""

import time
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Engine, Table, and_, bindparam, delete, select, true

from backend.catalog.engine import writing
from backend.catalog.tables import job_items, jobs, receipts

ROWS_PER_TRANSACTION = 1_000  # some 20 ms on SQLite, where nobody else writes meanwhile
JOBS_PER_TRANSACTION = 500
PAUSE_SECONDS = (
    0.01  # the lock SQLite's writers queue at is not fair: without a pause the same thread often has it again
)


def forget_rows(engine: Engine, table: Table, old: ColumnElement[bool]) -> int:
    """Remove the rows that are old; how many."""
    removed = 0
    while True:
        with writing(engine) as connection:
            some = _remove_some(connection, table, old, still=old)
        removed += some
        if some < ROWS_PER_TRANSACTION:
            return removed
        time.sleep(PAUSE_SECONDS)


def forget_finished(engine: Engine, before: datetime) -> int:
    """Remove jobs that ended before a moment, after their items and receipts; how many jobs.

    A large job loses its items over several transactions. Each looks anew whether it has ended, as a retry may come.
    """
    ended = select(jobs.c.job_id).where(jobs.c.finished_at <= before).order_by(jobs.c.finished_at)
    removed = 0
    while True:
        with writing(engine) as connection:
            oldest = ended.limit(JOBS_PER_TRANSACTION).with_for_update(skip_locked=True)
            job_ids = connection.scalars(oldest).all()
            if not job_ids:
                return removed
            if _remove_some(connection, job_items, job_items.c.job_id.in_(job_ids)) < ROWS_PER_TRANSACTION:
                connection.execute(delete(receipts).where(receipts.c.job_id.in_(job_ids)))
                connection.execute(delete(jobs).where(jobs.c.job_id.in_(job_ids)))
                removed += len(job_ids)
        time.sleep(PAUSE_SECONDS)


def _remove_some(
    connection: Connection, table: Table, which: ColumnElement[bool], *, still: ColumnElement[bool] | None = None
) -> int:
    """In the order of their keys, as all rows are locked. `still`: what must hold when it is a row's turn."""
    key = list(table.primary_key.columns)
    found = sorted(tuple(row) for row in connection.execute(select(*key).where(which).limit(ROWS_PER_TRANSACTION)))
    if found:
        this = and_(*(column == bindparam(f"at_{column.name}") for column in key), true() if still is None else still)
        places = [{f"at_{column.name}": value for column, value in zip(key, row, strict=True)} for row in found]
        connection.execute(delete(table).where(this), places)
    return len(found)
