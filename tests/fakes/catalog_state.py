"""What the fake catalog keeps, and the steps its ports share. The caller holds the lock."""

import itertools
import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from backend.domain.importing import ImportClaim, ImportStep
from backend.domain.job import ItemState, Job, JobItem, JobKind
from backend.domain.picture import PictureState
from backend.domain.product import Product, ProductKey, ProductRecord
from backend.domain.work import Accepted, Change, Claim, KeptReceipt, Outcome, Receipt, Remembered
from backend.errors import Conflict, Poison, ProductNotFound, RepeatedRequest
from backend.ports import Clock
from tests.fakes.catalog_rows import Item, JobRow, Lane, Row, lane_of

RECEIPTS_LAST = timedelta(days=1)


class CatalogState:
    """Rows, jobs, items, receipts and addresses. `lock` stands for a transaction."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self.rows: dict[ProductKey, Row] = {}
        self.jobs: dict[str, JobRow] = {}
        self.receipts: dict[tuple[str, str], tuple[KeptReceipt, datetime]] = {}
        self.addresses: dict[str, Remembered] = {}
        self._waiting: dict[ProductKey, Item] = {}  # one a product: a newer change supersedes the older item
        self._numbers = itertools.count(1)

    def new_lease(self) -> str:
        return f"lease-{next(self._numbers)}"

    def check_receipt(self, receipt: Receipt | None) -> None:
        """Raises `RepeatedRequest` when its key was used within the last day."""
        if receipt is not None and self.kept(receipt.merchant, receipt.key) is not None:
            raise RepeatedRequest

    def new_job(
        self, merchant: str, kind: JobKind, total: int | None, receipt: Receipt | None, now: datetime
    ) -> JobRow:
        job_id = f"{int(now.timestamp() * 1000):012x}{next(self._numbers):020x}"
        if receipt is not None:
            self.receipts[receipt.merchant, receipt.key] = KeptReceipt(receipt, job_id, None, None), now
        self.jobs[job_id] = JobRow(Job(job_id, merchant, kind, now, finished_at=None, total=total), now)
        return self.jobs[job_id]

    def kept(self, merchant: str, key: str) -> KeptReceipt | None:
        kept, since = self.receipts.get((merchant, key), (None, None))
        return None if since is None or self.clock() - since > RECEIPTS_LAST else kept

    def of(self, merchant: str | None) -> list[Row]:
        return [row for key, row in self.rows.items() if merchant in (None, key.merchant)]

    def held_row(self, claim: Claim) -> Row | None:
        row = self.rows.get(claim.key)
        return row if row is not None and row.lease == claim.lease else None

    def held_import(self, by: ImportClaim | ImportStep) -> JobRow | None:
        job = self.jobs.get(by.job_id)
        return job if job is not None and job.lease == by.lease else None

    # --- changes ------------------------------------------------------------------------------------------------------

    def check(self, changes: Sequence[Change], moved_on: type[Conflict]) -> None:
        """Everything that may refuse these changes, before anything is changed."""
        seen: dict[ProductKey, tuple[int, bool]] = {}
        for change in changes:
            row = self.rows.get(change.key)
            version, live = seen.get(change.key) or (
                (row.record.version, not row.record.deleted) if row else (0, False)
            )
            if change.expected_version not in (None, version):
                raise moved_on(f"{change.key.product_id} is at version {version}")
            if change.product is not None and change.pictures is None and not live:
                raise ProductNotFound(change.key.product_id)
            seen[change.key] = (version + 1, change.product is not None)

    def accept(self, change: Change, job: JobRow, now: datetime) -> Accepted:
        row = self.rows.get(change.key) or Row(ProductRecord(Product(change.key), (), 0, 0, deleted=True), now)
        was, created = row.record, change.product is not None and row.record.deleted
        self._queue(row, change, now, imported=job.job.kind is JobKind.IMPORT)
        pictures = was.pictures if change.pictures is None else change.pictures
        row.record = ProductRecord(
            product=change.product or was.product,
            pictures=() if change.product is None else pictures,
            version=was.version + 1,
            indexed_version=was.indexed_version,
            deleted=change.product is None,
            searchable_at=None if created or change.product is None else was.searchable_at,
            created_at=now if created else was.created_at or now,
            updated_at=now,
        )
        row.note_dropped(was.pictures)
        row.created_by = job.job.job_id if created else row.created_by
        self.rows[change.key] = row
        self.end_item(change.key, ItemState.SUPERSEDED)
        item = JobItem(change.row, change.key.product_id, ItemState.PENDING, line=change.line)
        self._waiting[change.key] = job.add(item, change.key, row.record.version)
        return Accepted(job.job.job_id, change.key, row.record.version, created)

    def _queue(self, row: Row, change: Change, now: datetime, *, imported: bool) -> None:
        """Where a changed product waits: a product that waits in the same lane already keeps its place."""
        if change.product is not None and change.pictures is None and row.due and row.lane is not Lane.FACTS:
            return  # its pictures wait as they did, and new facts do not absolve them of a worker's death
        left = any(it.state is PictureState.PENDING and it.content_hash for it in row.record.pictures)
        facts_alone = change.product is None or (change.pictures is None and not left)
        lane = Lane.FACTS if facts_alone else lane_of(change.pictures or (), imported=imported)
        row.waits_in(lane, min(row.due_at, now) if row.due and lane is row.lane else now)

    # --- what became of it --------------------------------------------------------------------------------------------

    def settle(self, row: Row, outcome: Outcome) -> None:
        now, record, version = self.clock(), row.record, outcome.claim.version
        searchable_at = record.searchable_at if outcome.code else now
        row.unlease(attempts=0)
        if outcome.told:
            row.told_at = now
            row.notes = {gone: since for gone, since in row.notes.items() if since > version}
        row.record = replace(record, indexed_version=version, searchable_at=None if record.deleted else searchable_at)
        if record.version > version:
            return
        told = outcome.pictures or record.pictures
        judged = tuple(
            replace(picture, state=new.state, code=new.code, detail=new.detail)
            for picture, new in zip(record.pictures, told, strict=True)
        )
        row.record = replace(row.record, pictures=judged, code=outcome.code, detail=outcome.detail)
        self._settle_item(row.key, outcome, now)

    def _settle_item(self, key: ProductKey, outcome: Outcome, now: datetime) -> None:
        item = self._waiting.get(key)
        if item is None:
            return
        job = item.of.job
        item.of.job = replace(
            job,
            embedded=job.embedded + outcome.embedded,
            reused=job.reused + outcome.reused,
            first_settled_at=job.first_settled_at or now,
            last_settled_at=now,
        )
        attempts = outcome.claim.attempts
        if outcome.code:
            self.end_item(key, ItemState.FAILED, code=outcome.code, detail=outcome.detail, attempts=attempts)
        elif self.rows[key].record.deleted:
            self.end_item(key, ItemState.DELETED, attempts=attempts)
        else:
            self.end_item(key, ItemState.SEARCHABLE, searchable_at=now, attempts=attempts)

    def set_aside(self, row: Row) -> None:
        """It ended its workers too often."""
        pictures = tuple(
            replace(picture, state=PictureState.FAILED, code=Poison.code, detail=Poison.mend)
            if picture.state is PictureState.PENDING
            else picture
            for picture in row.record.pictures
        )
        claim = Claim(row.key, row.record.version, "", row.attempts)
        first = not (row.record.code or row.record.deleted)
        self.settle(row, Outcome(claim, pictures, code=Poison.code, detail=Poison.mend, told=False))
        if first:  # the index is to be cleared of it
            row.record = replace(row.record, indexed_version=row.record.version - 1)
            row.waits_in(Lane.FACTS, self.clock())

    def end_item(self, key: ProductKey, state: ItemState, **facts: object) -> None:
        """The waiting item of a product, if there is one, becomes this."""
        item = self._waiting.pop(key, None)
        if item is not None:
            item.becomes(state, **facts)
            self.finish([item.of])

    def wait_again(self, item: Item, key: ProductKey, version: int) -> None:
        """A failed item waits for a new version."""
        item.becomes(ItemState.PENDING, code=None, detail=None, field=None, attempts=0)
        item.version = version
        item.of.job = replace(item.of.job, finished_at=None)
        self._waiting[key] = item

    def finish(self, jobs: Iterable[JobRow]) -> None:
        for row in jobs:
            if not row.unread and not row.counts[ItemState.PENDING] and row.job.finished_at is None:
                row.job = replace(row.job, finished_at=self.clock())
