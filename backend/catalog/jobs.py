"""`SqlJobs`: the port `Jobs`."""

import secrets
from collections import defaultdict
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Engine, Update, func, insert, or_, select, update

from backend.catalog.acceptance import accept_changes, new_job_id
from backend.catalog.engine import LeaseClock, reading, writing
from backend.catalog.forgetting import forget_finished
from backend.catalog.receipts import insert_receipt
from backend.catalog.retrying import retry_job
from backend.catalog.rows import ITEMS, item_columns, item_of, job_of, options_columns, options_of
from backend.catalog.tables import UNREAD_IMPORT, job_items, jobs
from backend.catalog.tallying import Tally, lock_jobs, write_tallies
from backend.catalog.withdrawing import cancel_job
from backend.domain.importing import ImportClaim, ImportOptions, ImportStep
from backend.domain.job import Cancelled, ItemState, Job, JobItem, JobKind, Retried
from backend.domain.work import Receipt
from backend.errors import Conflict, StaleRows
from backend.ports import Clock


class SqlJobs:
    """Imports and the ledger of items, see `backend.ports.Jobs`. Safe to share between threads and processes."""

    def __init__(self, engine: Engine, clock: Clock, lease_clock: LeaseClock | None = None) -> None:
        """`lease_clock`: what leases go by where several machines work (None: `clock`)."""
        self._engine = engine
        self._lease_clock = lease_clock or (lambda _: clock())
        self._clock = clock

    def open_import(self, merchant: str, source: str, options: ImportOptions, receipt: Receipt | None = None) -> str:
        """See the port."""
        now = self._clock()
        job_id = new_job_id(now)
        job = {"job_id": job_id, "merchant": merchant, "kind": JobKind.IMPORT.value, "created_at": now}
        with writing(self._engine) as connection:
            place = {"source": source, "options": options_columns(options), "next_row": 1, "due_at": now}
            connection.execute(insert(jobs).values(**job, **place))
            if receipt is not None:
                insert_receipt(connection, receipt, job_id, now)
        return job_id

    def claim_import(self, lease_seconds: float) -> ImportClaim | None:
        """See the port. Oldest by its last turn: an import that was given back stands behind those that waited."""
        with writing(self._engine) as connection:
            now = self._lease_clock(connection)
            free = or_(jobs.c.lease.is_(None), jobs.c.lease_until <= now)
            oldest = select(jobs).where(UNREAD_IMPORT, free).order_by(jobs.c.due_at, jobs.c.job_id).limit(1)
            row = connection.execute(oldest.with_for_update(skip_locked=True, key_share=True)).mappings().first()
            if row is None:
                return None
            claim = ImportClaim(
                job_id=row["job_id"],
                merchant=row["merchant"],
                source=row["source"],
                next_row=row["next_row"],
                lease=secrets.token_hex(16),
                options=options_of(row["options"]),
                attempts=row["attempts"] + 1,
            )
            until = now + timedelta(seconds=lease_seconds)
            held = _held(jobs.c.job_id == claim.job_id, claim.lease, until)
            connection.execute(held.values(attempts=claim.attempts))
        return claim

    def record_import(self, step: ImportStep, *, lease_seconds: float) -> None:
        """See the port. Rows before the place kept are left out: they were recorded by a call whose answer was lost.

        Raises what `acceptance.accept_changes` raises beside what the port says; nothing was changed then.
        """
        now = self._clock()
        ours = (jobs.c.job_id == step.job_id) & (jobs.c.lease == step.lease)
        with writing(self._engine) as connection:
            kept = connection.execute(select(jobs.c.merchant, jobs.c.next_row).where(ours)).first()
            if kept is None:
                raise Conflict(_LOST.format(step.job_id))
            tallies = self._record_rows(connection, step, kept.merchant, kept.next_row, now)
            ended = step.total is not None
            until = self._lease_clock(connection) + timedelta(seconds=lease_seconds)
            place = _held(ours, None if ended else step.lease, None if ended else until)
            # The products' rows come before the jobs', see `acceptance`; so the lease is looked at again, for good.
            lock_jobs(connection, tallies)
            if not connection.execute(place.values(next_row=step.next_row, total=step.total, attempts=0)).rowcount:
                raise Conflict(_LOST.format(step.job_id))
            write_tallies(connection, tallies, now)

    def _record_rows(
        self, connection: Connection, step: ImportStep, merchant: str, first: int, now: datetime
    ) -> dict[str, Tally]:
        changes = [change for change in step.changes if change.row >= first]
        if any(change.key.merchant != merchant for change in changes):
            raise ValueError(f"a row of import {step.job_id} names another merchant's product")
        refused = [item for item in step.refused if item.row >= first]
        tallies: dict[str, Tally] = defaultdict(Tally)
        if changes:
            try:
                _, tallies = accept_changes(connection, step.job_id, changes, now, bulk=True)
            except Conflict as err:
                raise StaleRows(err.detail) from err
        if refused:
            rows = [item_columns(step.job_id, merchant, item, None) for item in refused]
            connection.execute(insert(job_items), rows)
        tallies[step.job_id].items.update(item.state for item in refused)
        return tallies

    def renew_import(self, claim: ImportClaim, lease_seconds: float) -> None:
        """See the port."""
        with writing(self._engine) as connection:
            until = self._lease_clock(connection) + timedelta(seconds=lease_seconds)
            if not connection.execute(_held(_claimed(claim), claim.lease, until)).rowcount:
                raise Conflict(_LOST.format(claim.job_id))

    def fail_import(self, claim: ImportClaim, code: str, detail: str) -> None:
        """See the port. `total` becomes the number of items there are. Nothing happens when the lease was lost."""
        end = _held(_claimed(claim), None, None).values(total=ITEMS, code=code, detail=detail)
        with writing(self._engine) as connection:
            if connection.execute(end).rowcount:
                write_tallies(connection, {claim.job_id: Tally()}, self._clock())

    def yield_import(self, claim: ImportClaim) -> None:
        """See the port. Nothing happens when another worker has it, or had it since."""
        j = jobs.c
        left = (j.job_id == claim.job_id) & j.lease.is_(None) & (j.attempts == claim.attempts)
        ours = _claimed(claim) | (left & (j.next_row == claim.next_row))
        with writing(self._engine) as connection:
            connection.execute(_held(ours, None, None).values(due_at=self._clock(), attempts=0))

    def imports_due(self, merchant: str | None = None) -> int:
        """See the port."""
        unread = select(func.count()).where(UNREAD_IMPORT)
        if merchant is not None:
            unread = unread.where(jobs.c.merchant == merchant)
        with reading(self._engine) as connection:
            return connection.scalar(unread) or 0

    def unread_sources(self) -> set[str]:
        """See the port."""
        with reading(self._engine) as connection:
            return set(connection.scalars(select(jobs.c.source).where(UNREAD_IMPORT, jobs.c.source.is_not(None))))

    def job(self, merchant: str, job_id: str) -> Job | None:
        """See the port. One row: its counters change with its items."""
        mine = select(jobs).where(jobs.c.job_id == job_id, jobs.c.merchant == merchant)
        with reading(self._engine) as connection:
            row = connection.execute(mine).mappings().first()
        return None if row is None else job_of(row)

    def items(self, job_id: str, *, state: ItemState | None, after_row: int, limit: int) -> list[JobItem]:
        """See the port. Walks an index from `after_row` on, so the last page costs what the first does."""
        some = select(job_items).where(job_items.c.job_id == job_id, job_items.c.row > after_row)
        if state is not None:
            some = some.where(job_items.c.state == state.value)
        with reading(self._engine) as connection:
            rows = connection.execute(some.order_by(job_items.c.row).limit(limit)).mappings()
            return [item_of(row) for row in rows]

    def retry(self, merchant: str, job_id: str) -> Retried | None:
        """See the port. Several transactions: others write between them."""
        return retry_job(self._engine, merchant, job_id, self._clock)

    def cancel(self, merchant: str, job_id: str) -> Cancelled | None:
        """See the port. Several transactions: others write between them."""
        return cancel_job(self._engine, merchant, job_id, self._clock)

    def forget_finished(self, before: datetime) -> int:
        """See the port. Several transactions: others write between them."""
        return forget_finished(self._engine, before)


_LOST = "import {} was cancelled, or its lease ran out and another worker may be reading it"


def _claimed(claim: ImportClaim) -> ColumnElement[bool]:
    return (jobs.c.job_id == claim.job_id) & (jobs.c.lease == claim.lease)


def _held(which: ColumnElement[bool], lease: str | None, until: datetime | None) -> Update:
    return update(jobs).where(which).values(lease=lease, lease_until=until)
