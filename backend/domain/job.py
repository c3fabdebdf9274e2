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
    """Where one item of a job stands. `superseded`: a later change of the same product was accepted before its turn."""

    PENDING = "pending"
    SEARCHABLE = "searchable"
    DELETED = "deleted"
    FAILED = "failed"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class JobItem:
    """One row: its number in the source (1-based), the product it names, and what became of it."""

    row: int
    product_id: str | None
    state: ItemState
    field: str | None = None
    code: str | None = None
    detail: str | None = None
    searchable_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A job and its counts. `total` is None while the source is still being read."""

    job_id: str
    merchant: str
    kind: JobKind
    created_at: datetime
    finished_at: datetime | None
    total: int | None
    counts: dict[ItemState, int] = field(default_factory=dict)
    code: str | None = None
    detail: str | None = None

    @property
    def done(self) -> bool:
        """Whether every row has been read and nothing is pending."""
        return self.total is not None and not self.counts.get(ItemState.PENDING, 0)
