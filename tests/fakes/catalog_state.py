"""What the fake catalog keeps, and the steps its three ports share. The caller holds the lock."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from backend.domain.job import ItemState, Job, JobItem
from backend.domain.picture import Picture, PictureState
from backend.domain.product import Product, ProductKey, ProductRecord
from backend.errors import Conflict, ProductNotFound, WorkerLost
from backend.ports import Accepted, Change, Claim, Clock, ImportClaim, ImportStep, Outcome

FACTS, UPLOAD, IMPORT = range(3)  # the lanes


@dataclass
class Row:
    record: ProductRecord
    due_at: datetime
    lane: int = FACTS
    lease: str | None = None
    lease_until: datetime | None = None
    attempts: int = 0

    @property
    def due(self) -> bool:
        return self.record.indexed_version < self.record.version

    def unlease(self, *, attempts: int) -> None:
        self.lease = self.lease_until = None
        self.attempts = attempts


@dataclass
class _Item:
    job_id: str
    key: ProductKey
    item: JobItem

    def becomes(self, state: ItemState, **facts: object) -> None:
        self.item = replace(self.item, state=state, **facts)  # type: ignore[arg-type] # facts are JobItem's own


@dataclass
class Work:
    job: Job
    due_at: datetime
    source: str | None = None
    next_row: int = 1
    lease: str | None = None
    lease_until: datetime | None = None
    refused: list[JobItem] = field(default_factory=list)

    @property
    def unread(self) -> bool:
        return self.job.total is None


class CatalogState:
    """Rows, jobs and items."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.rows: dict[ProductKey, Row] = {}
        self.works: dict[str, Work] = {}
        self.numbers = itertools.count(1)
        self._items: list[_Item] = []

    def new_job_id(self) -> str:
        return f"{int(self.clock().timestamp() * 1000):012x}{next(self.numbers):020x}"

    def of(self, merchant: str | None) -> list[Row]:
        return [row for key, row in self.rows.items() if merchant in (None, key.merchant)]

    def free(self, now: datetime) -> list[Row]:
        return [row for row in self.rows.values() if row.due and is_free(row, now)]

    def held(self, by: ImportClaim | ImportStep) -> Work | None:
        work = self.works.get(by.job_id)
        return work if work is not None and work.lease == by.lease else None

    def check(self, changes: Sequence[Change]) -> None:
        seen = {key: (row.record.version, not row.record.deleted) for key, row in self.rows.items()}
        for change in changes:
            version, live = seen.get(change.key, (0, False))
            if change.product is not None and change.pictures is None and not live:
                raise ProductNotFound(change.key.product_id)
            if change.expected_version not in (None, version):
                raise Conflict(f"{change.key.product_id} is at version {version}")
            seen[change.key] = (version + 1, change.product is not None)

    def accept(self, change: Change, job_id: str, picture_lane: int) -> Accepted:
        now = self.clock()
        old = self.rows.get(change.key)
        row = old or Row(ProductRecord(Product(change.key), (), 0, 0, deleted=True), now)
        was, waiting, created = row.record, row.due, change.product is not None and row.record.deleted
        brings_pictures = change.product is not None and change.pictures is not None
        lane = picture_lane if brings_pictures else row.lane if waiting and change.product is not None else FACTS
        pictures = was.pictures if change.pictures is None else change.pictures
        row.due_at = row.due_at if waiting and lane == row.lane else now
        row.lane, row.attempts = lane, 0
        row.record = ProductRecord(
            product=change.product or was.product,
            pictures=() if change.product is None else pictures,
            version=was.version + 1,
            indexed_version=was.indexed_version,
            deleted=change.product is None,
            searchable_at=None if created or change.product is None else was.searchable_at,
            updated_at=now,
        )
        self.rows[change.key] = row
        self.end_items(change.key, ItemState.SUPERSEDED)
        item = JobItem(change.row, change.key.product_id, ItemState.PENDING)
        self._items.append(_Item(job_id, change.key, item))
        return Accepted(job_id, change.key, row.record.version, created)

    def settle(self, row: Row, outcome: Outcome) -> None:
        now, record, version = self.clock(), row.record, outcome.claim.version
        searchable_at = record.searchable_at if outcome.code else now
        row.unlease(attempts=0)
        row.record = replace(record, indexed_version=version, searchable_at=None if record.deleted else searchable_at)
        if record.version > version:
            return
        states = {picture.content_hash: picture for picture in outcome.pictures if picture.content_hash}
        judged = tuple(_judged(picture, states) for picture in record.pictures)
        row.record = replace(row.record, pictures=judged, code=outcome.code, detail=outcome.detail)
        if outcome.code:
            self.end_items(record.product.key, ItemState.FAILED, code=outcome.code, detail=outcome.detail)
        elif record.deleted:
            self.end_items(record.product.key, ItemState.DELETED)
        else:
            self.end_items(record.product.key, ItemState.SEARCHABLE, searchable_at=now)

    def lose(self, row: Row) -> None:
        row.lease = "lost"
        refused = tuple(
            replace(picture, state=PictureState.FAILED, code=WorkerLost.code, detail=WorkerLost.mend)
            for picture in row.record.pictures
            if picture.state is PictureState.PENDING
        )
        claim = Claim(row.record.product.key, row.record.version, row.lease, row.attempts)
        self.settle(row, Outcome(claim, refused, code=WorkerLost.code, detail=WorkerLost.mend))

    def end_items(self, key: ProductKey, state: ItemState, **facts: object) -> None:
        """Every waiting item of a product waits for its latest version: an older one was superseded by the newer."""
        waiting = [it for it in self._items if it.key == key and it.item.state is ItemState.PENDING]
        for it in waiting:
            it.becomes(state, **facts)
        self.finish(it.job_id for it in waiting)

    def finish(self, job_ids: Iterable[str]) -> None:
        for work in (self.works[job_id] for job_id in set(job_ids)):
            waits = any(item.state is ItemState.PENDING for item in self.items_of(work.job.job_id))
            if not work.unread and not waits and work.job.finished_at is None:
                work.job = replace(work.job, finished_at=self.clock())

    def items_of(self, job_id: str) -> list[JobItem]:
        if job_id not in self.works:
            return []
        return [it.item for it in self._items if it.job_id == job_id] + self.works[job_id].refused


def is_free(it: Row | Work, now: datetime) -> bool:
    return it.lease_until is None or it.lease_until <= now


def unjudged(picture: Picture) -> Picture:
    if picture.content_hash is None:
        return picture
    return replace(picture, state=PictureState.PENDING, code=None, detail=None)


def _judged(picture: Picture, states: Mapping[str, Picture]) -> Picture:
    told = states.get(picture.content_hash or "")
    return picture if told is None else replace(picture, state=told.state, code=told.code, detail=told.detail)
