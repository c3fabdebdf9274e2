"""The fake catalog's jobs."""

from dataclasses import replace
from datetime import datetime, timedelta

from backend.domain.importing import ImportClaim, ImportOptions, ImportStep
from backend.domain.job import Cancelled, ItemState, Job, JobItem, JobKind, Retried
from backend.domain.product import ProductState
from backend.domain.work import Receipt
from backend.errors import Conflict, StaleRows
from tests.fakes.catalog_rows import Item, JobRow, Lane, Row, is_free, lane_of, unjudged
from tests.fakes.catalog_state import CatalogState


class FakeJobs:
    """See `backend.ports.Jobs`."""

    def __init__(self, state: CatalogState) -> None:
        self._state = state

    # --- imports ------------------------------------------------------------------------------------------------------

    def open_import(self, merchant: str, source: str, options: ImportOptions, receipt: Receipt | None = None) -> str:
        with self._state.lock:
            self._state.check_receipt(receipt)
            row = self._state.new_job(merchant, JobKind.IMPORT, None, receipt, self._state.clock())
            row.source, row.options = source, options
            return row.job.job_id

    def unread_sources(self) -> set[str]:
        with self._state.lock:
            return {row.source for row in self._state.jobs.values() if row.unread and row.source is not None}

    def claim_import(self, lease_seconds: float) -> ImportClaim | None:
        with self._state.lock:
            now = self._state.clock()
            unread = (row for row in self._state.jobs.values() if row.unread and is_free(row, now))
            row = min(unread, key=lambda row: (row.due_at, row.job.job_id), default=None)
            if row is None or row.source is None:
                return None
            row.lease, row.lease_until = self._state.new_lease(), now + timedelta(seconds=lease_seconds)
            row.attempts += 1
            job = row.job
            return ImportClaim(job.job_id, job.merchant, row.source, row.next_row, row.lease, row.options, row.attempts)

    def record_import(self, step: ImportStep, *, lease_seconds: float) -> None:
        with self._state.lock:
            row = self._state.held_import(step)
            if row is None:
                raise Conflict(f"the lease of import {step.job_id} was lost")
            changes = [change for change in step.changes if change.row >= row.next_row]
            if any(change.key.merchant != row.job.merchant for change in changes):
                raise ValueError("a row names another merchant's product")
            self._state.check(changes, StaleRows)
            for item in step.refused:
                if item.row >= row.next_row:
                    row.add(item)
            now = self._state.clock()
            for change in changes:
                self._state.accept(change, row, now)
            row.next_row, row.lease_until = step.next_row, now + timedelta(seconds=lease_seconds)
            row.attempts = 0
            if step.total is not None:
                self._end_reading(row, step.total)

    def renew_import(self, claim: ImportClaim, lease_seconds: float) -> None:
        with self._state.lock:
            row = self._state.held_import(claim)
            if row is None:
                raise Conflict(f"the lease of import {claim.job_id} was lost")
            row.lease_until = self._state.clock() + timedelta(seconds=lease_seconds)

    def fail_import(self, claim: ImportClaim, code: str, detail: str) -> None:
        with self._state.lock:
            row = self._state.held_import(claim)
            if row is not None:
                row.job = replace(row.job, code=code, detail=detail)
                self._end_reading(row, len(row.items))

    def _end_reading(self, row: JobRow, total: int) -> None:
        row.job = replace(row.job, total=total)
        row.unlease()
        self._state.finish([row])

    def yield_import(self, claim: ImportClaim) -> None:
        with self._state.lock:
            row = self._state.jobs.get(claim.job_id)
            left = row and row.lease is None and (row.attempts, row.next_row) == (claim.attempts, claim.next_row)
            if row is not None and row.unread and (row.lease == claim.lease or left):
                row.unlease()
                row.due_at = self._state.clock()

    def imports_due(self, merchant: str | None = None) -> int:
        with self._state.lock:
            return sum(row.unread and merchant in (None, row.job.merchant) for row in self._state.jobs.values())

    # --- reading ------------------------------------------------------------------------------------------------------

    def job(self, merchant: str, job_id: str) -> Job | None:
        with self._state.lock:
            row = self._of(merchant, job_id)
            return row.shown if row else None

    def items(self, job_id: str, *, state: ItemState | None, after_row: int, limit: int) -> list[JobItem]:
        with self._state.lock:
            row = self._state.jobs.get(job_id)
            found = [it.item for it in row.items] if row else []
            wanted = [item for item in found if item.row > after_row and state in (None, item.state)]
            return sorted(wanted, key=lambda item: item.row)[:limit]

    def _of(self, merchant: str, job_id: str) -> JobRow | None:
        row = self._state.jobs.get(job_id)
        return row if row is not None and row.job.merchant == merchant else None

    def forget_finished(self, before: datetime) -> int:
        with self._state.lock:
            jobs = self._state.jobs
            old = {it for it, row in jobs.items() if row.job.finished_at is not None and row.job.finished_at <= before}
            for job_id in old:
                del jobs[job_id]
            kept = {name: it for name, it in self._state.receipts.items() if it[0].job_id not in old}
            self._state.receipts = kept
            return len(old)

    # --- retry and cancel ---------------------------------------------------------------------------------------------

    def retry(self, merchant: str, job_id: str) -> Retried | None:
        with self._state.lock:
            job = self._of(merchant, job_id)
            if job is None:
                return None
            failed = [item for item in job.items if item.item.state is ItemState.FAILED]
            return Retried(again := sum(self._try_again(item) for item in failed), len(failed) - again)

    def _try_again(self, item: Item) -> bool:
        """Whether its product could be made due again."""
        row = self._state.rows.get(item.key) if item.key else None
        if row is None or row.record.version != item.version or row.record.deleted:
            return False
        can = [picture.content_hash is not None or picture.url is not None for picture in row.record.pictures]
        if row.record.state is not ProductState.FAILED or not any(can):
            return False
        now, record = self._state.clock(), row.record
        pictures = tuple(unjudged(it) if may else it for it, may in zip(record.pictures, can, strict=True))
        row.record = replace(
            record, pictures=pictures, version=record.version + 1, code=None, detail=None, updated_at=now
        )
        row.waits_in(lane_of(pictures, imported=True), now)
        self._state.wait_again(item, row.key, row.record.version)
        return True

    def cancel(self, merchant: str, job_id: str) -> Cancelled | None:
        with self._state.lock:
            job = self._of(merchant, job_id)
            if job is None:
                return None
            if job.job.finished_at is None:
                job.job = replace(job.job, cancelled_at=job.job.cancelled_at or self._state.clock())
            waiting = [item for item in job.items if item.item.state is ItemState.PENDING]
            withdrawn = sum(self._withdraw(item) for item in waiting)
            if job.unread:
                self._end_reading(job, job.next_row - 1)
            return Cancelled(withdrawn, len(waiting) - withdrawn)

    def _withdraw(self, item: Item) -> bool:
        """Whether the item's product is new, untouched by workers now, and so could be taken back."""
        row, now = self._state.rows[item.key] if item.key else None, self._state.clock()
        if row is None or row.created_by != item.of.job.job_id:
            return False
        if row.record.indexed_version > 0 or item.version != row.record.version or not is_free(row, now):
            return False
        self._delete(row)
        self._state.end_item(row.key, ItemState.CANCELLED)
        return True

    def _delete(self, row: Row) -> None:
        """Deleted at once, unless a worker had it in its hands once: then the index may hold something of it."""
        now, was = self._state.clock(), row.record
        row.record = replace(was, pictures=(), version=was.version + 1, deleted=True, updated_at=now)
        row.waits_in(Lane.FACTS, now)
        if row.taken_up:
            row.note_dropped(was.pictures)
        else:
            row.record, row.notes = replace(row.record, indexed_version=row.record.version), {}
