"""`SqlJobs`: the port `Jobs`."""

import secrets
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Engine, Update, func, insert, or_, select, update

from backend.catalog.acceptance import Lane, accept_changes, new_job_id
from backend.catalog.engine import reading, writing
from backend.catalog.finishing import finish
from backend.catalog.rows import item_columns, item_of, job_of
from backend.catalog.tables import UNREAD_IMPORT, job_items, jobs
from backend.domain.job import ItemState, Job, JobItem, JobKind
from backend.errors import Conflict
from backend.ports import Clock, ImportClaim, ImportStep


class SqlJobs:
    """Imports and the ledger of items, see `backend.ports.Jobs`. Safe to share between threads and processes."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def open_import(self, merchant: str, source: str) -> str:
        """See the port."""
        now = self._clock()
        job_id = new_job_id(now)
        job = {"job_id": job_id, "merchant": merchant, "kind": JobKind.IMPORT.value, "created_at": now}
        with writing(self._engine) as connection:
            connection.execute(insert(jobs).values(**job, source=source, next_row=1, due_at=now))
        return job_id

    def claim_import(self, lease_seconds: float) -> ImportClaim | None:
        """See the port. Oldest by its last turn: an import that was given back stands behind those that waited."""
        now = self._clock()
        free = or_(jobs.c.lease.is_(None), jobs.c.lease_until <= now)
        oldest = select(jobs).where(UNREAD_IMPORT, free).order_by(jobs.c.due_at, jobs.c.job_id).limit(1)
        with writing(self._engine) as connection:
            row = connection.execute(oldest.with_for_update(skip_locked=True, key_share=True)).mappings().first()
            if row is None:
                return None
            claim = ImportClaim(row["job_id"], row["merchant"], row["source"], row["next_row"], secrets.token_hex(16))
            until = now + timedelta(seconds=lease_seconds)
            connection.execute(_held(jobs.c.job_id == claim.job_id, claim.lease, until))
        return claim

    def record_import(self, step: ImportStep, *, lease_seconds: float) -> None:
        """See the port. Rows before the place kept are left out: they were recorded by a call whose answer was lost.

        Raises `errors.Conflict` when the lease was lost: another worker reads on, and nothing was changed. Raises what
        `acceptance.accept_changes` raises; then nothing was changed either.
        """
        now = self._clock()
        until = now + timedelta(seconds=lease_seconds)
        ours = (jobs.c.job_id == step.job_id) & (jobs.c.lease == step.lease)
        with writing(self._engine) as connection:
            kept = connection.execute(select(jobs.c.merchant, jobs.c.next_row).where(ours)).first()
            if kept is None:
                raise Conflict(_LOST.format(step.job_id))
            self._record_rows(connection, step, kept.merchant, kept.next_row, now)
            ended = step.total is not None
            place = _held(ours, None if ended else step.lease, None if ended else until)
            # The products' rows come before the job's, see `acceptance`; so the lease is looked at again, for good.
            if not connection.execute(place.values(next_row=step.next_row, total=step.total)).rowcount:
                raise Conflict(_LOST.format(step.job_id))
            if ended:
                finish(connection, [step.job_id], now)

    def _record_rows(self, connection: Connection, step: ImportStep, merchant: str, first: int, now: datetime) -> None:
        changes = [change for change in step.changes if change.row >= first]
        if any(change.key.merchant != merchant for change in changes):
            raise ValueError(f"a row of import {step.job_id} names another merchant's product")
        refused = [item_columns(step.job_id, merchant, item, None) for item in step.refused if item.row >= first]
        if refused:
            connection.execute(insert(job_items), refused)
        if changes:
            accept_changes(connection, step.job_id, changes, Lane.IMPORT, now)

    def fail_import(self, claim: ImportClaim, code: str, detail: str) -> None:
        """See the port. `total` becomes the number of items there are. Nothing happens when the lease was lost."""
        items = select(func.count()).where(job_items.c.job_id == claim.job_id).scalar_subquery()
        end = _held(_claimed(claim), None, None).values(total=items, code=code, detail=detail)
        with writing(self._engine) as connection:
            if connection.execute(end).rowcount:
                finish(connection, [claim.job_id], self._clock())

    def yield_import(self, claim: ImportClaim) -> None:
        """See the port. Nothing happens when the lease was lost."""
        with writing(self._engine) as connection:
            connection.execute(_held(_claimed(claim), None, None).values(due_at=self._clock()))

    def imports_due(self) -> int:
        """See the port."""
        with reading(self._engine) as connection:
            return connection.scalar(select(func.count()).where(UNREAD_IMPORT)) or 0

    def job(self, merchant: str, job_id: str) -> Job | None:
        """The job and its counts, of one moment."""
        mine = select(jobs).where(jobs.c.job_id == job_id, jobs.c.merchant == merchant)
        by_state = select(job_items.c.state, func.count()).where(job_items.c.job_id == job_id)
        with reading(self._engine) as connection:
            row = connection.execute(mine).mappings().first()
            if row is None:
                return None
            counts = connection.execute(by_state.group_by(job_items.c.state)).all()
        return job_of(row, {ItemState(state): count for state, count in counts})

    def items(self, job_id: str, *, state: ItemState | None, after_row: int, limit: int) -> list[JobItem]:
        """See the port. Walks an index from `after_row` on, so the last page costs what the first does."""
        some = select(job_items).where(job_items.c.job_id == job_id, job_items.c.row > after_row)
        if state is not None:
            some = some.where(job_items.c.state == state.value)
        with reading(self._engine) as connection:
            rows = connection.execute(some.order_by(job_items.c.row).limit(limit)).mappings()
            return [item_of(row) for row in rows]


_LOST = "the lease of import {} ran out and another worker may be reading it"


def _claimed(claim: ImportClaim) -> ColumnElement[bool]:
    return (jobs.c.job_id == claim.job_id) & (jobs.c.lease == claim.lease)


def _held(which: ColumnElement[bool], lease: str | None, until: datetime | None) -> Update:
    return update(jobs).where(which).values(lease=lease, lease_until=until)
