"""Jobs: the ledger of what was uploaded together, item by item."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class JobKind(StrEnum):
    """What made the job."""

    UPLOAD = "upload"
    UPDATE = "update"
    DELETE = "delete"
    IMPORT = "import"


class ItemState(StrEnum):
    """Where one item of a job stands.

    `superseded`: a later change of the same product was accepted before its turn. `cancelled`: withdrawn before it
    started.
    """

    PENDING = "pending"
    SEARCHABLE = "searchable"
    DELETED = "deleted"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class JobItem:
    """One row: its number in the source (1-based), the product it names, and what became of it.

    `line`: where the row begins in its file. `attempts`: how often a worker took it up.
    """

    row: int
    product_id: str | None
    state: ItemState
    field: str | None = None
    code: str | None = None
    detail: str | None = None
    searchable_at: datetime | None = None
    line: int | None = None
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Job:
    """A job and its counts. `total` is None while the source is still being read.

    `embedded`, `reused`: pictures of its items that went through the model, and that had a vector already.
    `first_settled_at`, `last_settled_at`: between them lies the work, so their distance gives the rate.
    """

    job_id: str
    merchant: str
    kind: JobKind
    created_at: datetime
    finished_at: datetime | None
    total: int | None
    counts: dict[ItemState, int] = field(default_factory=dict)
    code: str | None = None
    detail: str | None = None
    embedded: int = 0
    reused: int = 0
    first_settled_at: datetime | None = None
    last_settled_at: datetime | None = None
    cancelled_at: datetime | None = None

    @property
    def pending(self) -> int:
        """Items that wait."""
        return self.counts.get(ItemState.PENDING, 0)

    @property
    def done(self) -> bool:
        """Whether every row has been read and nothing is pending."""
        return self.total is not None and not self.pending

    @property
    def reuse_rate(self) -> float | None:
        """Share of pictures that had a vector already; None before the first picture."""
        pictures = self.embedded + self.reused
        return self.reused / pictures if pictures else None

    @property
    def rate(self) -> float | None:
        """Items settled per second, from the first to the last; None until there are two moments to compare."""
        if self.first_settled_at is None or self.last_settled_at is None:
            return None
        seconds = (self.last_settled_at - self.first_settled_at).total_seconds()
        return self._settled / seconds if seconds > 0 else None

    @property
    def eta_seconds(self) -> float | None:
        """When the items known so far will be settled at this rate; None without a rate or when nothing waits."""
        return self.pending / self.rate if self.rate and self.pending else None

    @property
    def _settled(self) -> int:
        """Items that ended by work on them; a row refused while it was read is counted too, for reading is work."""
        ended = (ItemState.SEARCHABLE, ItemState.DELETED, ItemState.FAILED)
        return sum(self.counts.get(state, 0) for state in ended)


@dataclass(frozen=True, slots=True)
class Retried:
    """What a retry did: items that are pending again, and failed ones that cannot be tried again as they are."""

    again: int
    left: int


@dataclass(frozen=True, slots=True)
class Cancelled:
    """What a cancel did: items withdrawn, and those that go on (they change products that were there before)."""

    withdrawn: int
    going_on: int
