"""The rows a fake catalog keeps: products, jobs and their items."""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import IntEnum

from backend.domain.importing import ImportOptions
from backend.domain.job import ItemState, Job, JobItem
from backend.domain.picture import Picture, PictureState
from backend.domain.product import ProductKey, ProductRecord
from backend.domain.work import Claim, Work


class Lane(IntEnum):
    """Where a due product waits, the quickest first."""

    FACTS = 0
    UPLOAD = 1
    IMPORT = 2
    FETCH_UPLOAD = 3
    FETCH_IMPORT = 4


LANES = {
    Work.FACTS: {Lane.FACTS},
    Work.UPLOADS: {Lane.UPLOAD},
    Work.IMPORTS: {Lane.IMPORT},
    Work.FETCH: {Lane.FETCH_UPLOAD, Lane.FETCH_IMPORT},
}


def lane_of(pictures: tuple[Picture, ...], *, imported: bool) -> Lane:
    """Where a product with new pictures waits."""
    if any(picture.unfetched for picture in pictures):
        return Lane.FETCH_IMPORT if imported else Lane.FETCH_UPLOAD
    return Lane.IMPORT if imported else Lane.UPLOAD


def hashes_of(pictures: tuple[Picture, ...]) -> set[str]:
    return {picture.content_hash for picture in pictures if picture.content_hash is not None}


def unjudged(picture: Picture) -> Picture:
    return replace(picture, state=PictureState.PENDING, code=None, detail=None)


@dataclass
class Row:
    """A product. `created_by`: the job that made it live; `taken_up`: whether a worker ever claimed it.

    `notes`: hashes it no longer has -> the version that dropped them.
    """

    record: ProductRecord
    due_at: datetime
    lane: Lane = Lane.FACTS
    lease: str | None = None
    lease_until: datetime | None = None
    attempts: int = 0
    fetches: int = 0
    created_by: str | None = None
    taken_up: bool = False
    notes: dict[str, int] = field(default_factory=dict)
    told_at: datetime | None = None

    @property
    def key(self) -> ProductKey:
        return self.record.product.key

    @property
    def due(self) -> bool:
        return self.record.indexed_version < self.record.version

    @property
    def shown(self) -> ProductRecord:
        return replace(self.record, dropped=tuple(sorted(self.notes)))

    def is_left_by(self, claim: Claim) -> bool:
        """Whether the claim's lease was taken back, and nobody has claimed or settled the product since."""
        return self.lease is None and (self.attempts, self.record.version) == (claim.attempts, claim.version)

    def unlease(self, *, attempts: int) -> None:
        self.lease = self.lease_until = None
        self.attempts = attempts

    def waits_in(self, lane: Lane, due_at: datetime) -> None:
        self.lane, self.due_at = lane, due_at
        self.attempts = self.fetches = 0

    def note_dropped(self, was: tuple[Picture, ...]) -> None:
        """After the record changed: what it had and has no longer is noted, what is back leaves the notes."""
        has = hashes_of(self.record.pictures)
        dropped = dict.fromkeys(hashes_of(was), self.record.version)
        self.notes = {gone: version for gone, version in {**dropped, **self.notes}.items() if gone not in has}


@dataclass
class JobRow:
    """A job; of an import also where reading goes on."""

    job: Job
    due_at: datetime
    source: str | None = None
    options: ImportOptions = field(default_factory=ImportOptions)
    next_row: int = 1
    lease: str | None = None
    lease_until: datetime | None = None
    attempts: int = 0
    items: list["Item"] = field(default_factory=list)
    counts: Counter[ItemState] = field(default_factory=Counter)

    @property
    def unread(self) -> bool:
        return self.job.total is None

    @property
    def shown(self) -> Job:
        return replace(self.job, counts={state: count for state, count in self.counts.items() if count})

    def unlease(self) -> None:
        self.lease = self.lease_until = None
        self.attempts = 0

    def add(self, item: JobItem, key: ProductKey | None = None, version: int | None = None) -> "Item":
        kept = Item(self, item, key, version)
        self.items.append(kept)
        self.counts[item.state] += 1
        return kept


@dataclass
class Item:
    """One row of a job. `key` and `version` None: it was refused and made no product."""

    of: JobRow
    item: JobItem
    key: ProductKey | None
    version: int | None

    def becomes(self, state: ItemState, **facts: object) -> None:
        self.of.counts[self.item.state] -= 1
        self.of.counts[state] += 1
        self.item = replace(self.item, state=state, **facts)  # type: ignore[arg-type] # facts are JobItem's own


def is_free(it: Row | JobRow, now: datetime) -> bool:
    return it.lease_until is None or it.lease_until <= now
