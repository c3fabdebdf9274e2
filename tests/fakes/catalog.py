"""Catalog, ledger and jobs in dictionaries: one class for the three ports, because they are three views of one truth.

Held to the same contract tests as the SQL adapters. One lock stands for a transaction: what may be refused is checked
before anything is changed.
"""

import itertools
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from backend.domain.job import ItemState, Job, JobItem, JobKind
from backend.domain.picture import PictureState
from backend.domain.product import ProductKey, ProductRecord
from backend.errors import Conflict
from backend.ports import Accepted, Change, Claim, Clock, ImportClaim, ImportStep, Outcome
from tests.fakes.catalog_state import IMPORT, UPLOAD, CatalogState, Row, Work, is_free, unjudged


class FakeCatalog:
    """See `backend.ports.Catalog`, `Ledger` and `Jobs`. Safe to share between threads."""

    def __init__(self, clock: Clock, max_attempts: int = 3) -> None:
        self._clock = clock
        self._max_attempts = max_attempts
        self._state = CatalogState(clock)
        self._lock = threading.RLock()

    # --- Catalog ------------------------------------------------------------------------------------------------------

    def accept(self, changes: Sequence[Change], kind: JobKind) -> list[Accepted]:
        if not changes:
            return []
        [merchant, *others] = {change.key.merchant for change in changes}
        if others or len({change.row for change in changes}) < len(changes):
            raise ValueError("the changes of a job belong to one merchant and to different rows")
        with self._lock:
            self._state.check(changes)
            now = self._clock()
            job = Job(self._state.new_job_id(), merchant, kind, now, finished_at=None, total=len(changes))
            self._state.works[job.job_id] = Work(job, now)
            return [
                self._state.accept(change, job.job_id, IMPORT if kind is JobKind.IMPORT else UPLOAD)
                for change in changes
            ]

    def product(self, key: ProductKey) -> ProductRecord | None:
        row = self._state.rows.get(key)
        return row.record if row else None

    def products(self, keys: Sequence[ProductKey]) -> list[ProductRecord]:
        with self._lock:
            return [self._state.rows[key].record for key in set(keys) if key in self._state.rows]

    def owns_image(self, merchant: str, content_hash: str) -> bool:
        with self._lock:
            return any(
                picture.content_hash == content_hash
                for row in self._state.of(merchant)
                for picture in row.record.pictures
            )

    def deleted_but_indexed(self, merchant: str, limit: int) -> list[str]:
        with self._lock:
            gone = (row for row in self._state.of(merchant) if row.record.deleted and (row.due or row.record.code))
            return [row.record.product.key.product_id for row in itertools.islice(gone, limit)]

    def count(self, merchant: str | None = None) -> Mapping[str, int]:
        with self._lock:
            live = [row.record for row in self._state.of(merchant) if not row.record.deleted]
        counts = Counter(record.state.value for record in live)
        shown = sum(picture.state is PictureState.SEARCHABLE for record in live for picture in record.pictures)
        return {**{name: counts[name] for name in ("pending", "searchable", "failed")}, "pictures": shown}

    def ping(self) -> None:
        """Always there."""

    # --- Ledger -------------------------------------------------------------------------------------------------------

    def claim(self, limit: int, lease_seconds: float) -> list[Claim]:
        with self._lock:
            now = self._clock()
            lease, until = f"lease-{next(self._state.numbers)}", now + timedelta(seconds=lease_seconds)
            claims: list[Claim] = []
            for row in sorted(self._state.free(now), key=lambda row: (row.lane, row.due_at, row.record.product.key)):
                if row.attempts >= self._max_attempts:
                    self._state.lose(row)
                elif not row.attempts or not claims:
                    alone = row.attempts > 0
                    row.lease, row.lease_until, row.attempts = lease, until, row.attempts + 1
                    claims.append(Claim(row.record.product.key, row.record.version, lease, row.attempts))
                    if alone or len(claims) == limit:
                        break
            return claims

    def settle(self, outcomes: Sequence[Outcome]) -> None:
        with self._lock:
            for outcome in outcomes:
                row = self._state.rows.get(outcome.claim.key)
                if row is not None and row.lease == outcome.claim.lease:
                    self._state.settle(row, outcome)

    def release(self, claims: Sequence[Claim]) -> None:
        with self._lock:
            for claim in claims:
                row = self._state.rows.get(claim.key)
                if row is not None and row.lease == claim.lease:
                    row.unlease(attempts=max(row.attempts - 1, 0))

    def return_leases(self, *, expired_only: bool = True) -> int:
        with self._lock:
            now = self._clock()
            held: list[Row | Work] = [*self._state.rows.values(), *self._state.works.values()]
            over = [it for it in held if it.lease_until is not None and (not expired_only or it.lease_until <= now)]
            for it in over:
                it.lease = it.lease_until = None
            return len(over)

    def due(self) -> int:
        with self._lock:
            return sum(row.due for row in self._state.rows.values())

    def mark_all_due(self) -> int:
        with self._lock:
            now = self._clock()
            for row in self._state.rows.values():
                row.unlease(attempts=0)
                record = replace(row.record, code=None, detail=None)
                if record.deleted:
                    row.record = replace(record, indexed_version=record.version)
                    self._state.end_items(record.product.key, ItemState.DELETED)
                else:
                    row.due_at = row.due_at if row.due else now
                    row.lane = IMPORT
                    row.record = replace(record, indexed_version=0, pictures=tuple(map(unjudged, record.pictures)))
            return sum(not row.record.deleted for row in self._state.rows.values())

    # --- Jobs ---------------------------------------------------------------------------------------------------------

    def open_import(self, merchant: str, source: str) -> str:
        with self._lock:
            now = self._clock()
            job = Job(self._state.new_job_id(), merchant, JobKind.IMPORT, now, finished_at=None, total=None)
            self._state.works[job.job_id] = Work(job, now, source)
            return job.job_id

    def claim_import(self, lease_seconds: float) -> ImportClaim | None:
        with self._lock:
            now = self._clock()
            unread = (work for work in self._state.works.values() if work.unread and is_free(work, now))
            work = min(unread, key=lambda work: (work.due_at, work.job.job_id), default=None)
            if work is None or work.source is None:
                return None
            work.lease, work.lease_until = f"lease-{next(self._state.numbers)}", now + timedelta(seconds=lease_seconds)
            return ImportClaim(work.job.job_id, work.job.merchant, work.source, work.next_row, work.lease)

    def record_import(self, step: ImportStep, *, lease_seconds: float) -> None:
        with self._lock:
            work = self._state.held(step)
            if work is None:
                raise Conflict(f"the lease of import {step.job_id} was lost")
            changes = [change for change in step.changes if change.row >= work.next_row]
            if any(change.key.merchant != work.job.merchant for change in changes):
                raise ValueError("a row names another merchant's product")
            self._state.check(changes)
            work.refused += [item for item in step.refused if item.row >= work.next_row]
            for change in changes:
                self._state.accept(change, step.job_id, IMPORT)
            work.next_row, work.lease_until = step.next_row, self._clock() + timedelta(seconds=lease_seconds)
            if step.total is not None:
                work.job = replace(work.job, total=step.total)
                work.lease = work.lease_until = None
                self._state.finish([step.job_id])

    def fail_import(self, claim: ImportClaim, code: str, detail: str) -> None:
        with self._lock:
            work = self._state.held(claim)
            if work is not None:
                total = len(self._state.items_of(claim.job_id))
                work.job = replace(work.job, total=total, code=code, detail=detail)
                work.lease = work.lease_until = None
                self._state.finish([claim.job_id])

    def yield_import(self, claim: ImportClaim) -> None:
        with self._lock:
            work = self._state.held(claim)
            if work is not None:
                work.lease = work.lease_until = None
                work.due_at = self._clock()

    def imports_due(self) -> int:
        with self._lock:
            return sum(work.unread for work in self._state.works.values())

    def job(self, merchant: str, job_id: str) -> Job | None:
        with self._lock:
            work = self._state.works.get(job_id)
            if work is None or work.job.merchant != merchant:
                return None
            return replace(work.job, counts=dict(Counter(item.state for item in self._state.items_of(job_id))))

    def items(self, job_id: str, *, state: ItemState | None, after_row: int, limit: int) -> list[JobItem]:
        with self._lock:
            wanted = [
                item for item in self._state.items_of(job_id) if item.row > after_row and state in (None, item.state)
            ]
            return sorted(wanted, key=lambda item: item.row)[:limit]
