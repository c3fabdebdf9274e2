"""Jobs and their ledgers as JSON."""

import hashlib
from datetime import datetime
from functools import cached_property
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from backend.domain.job import ItemState, Job, JobItem, JobKind


class JobPictures(BaseModel):
    """Pictures of a job's items."""

    embedded: int = Field(description="Went through the model.")
    reused: int = Field(description="Had a vector already.")
    reuse_rate: float | None = Field(description="Share of those that had a vector already.")


class JobView(BaseModel):
    """A job, its counts and its pace."""

    job_id: str
    kind: JobKind
    done: bool = Field(description="Every row has been read and nothing is pending.")
    total: int | None = Field(description="Rows; null while the source is still being read.")
    counts: dict[ItemState, int]
    pictures: JobPictures
    rate: float | None = Field(description="Items settled per second, from the first to the last.")
    eta_seconds: float | None = Field(description="How long the items known so far will still take at this rate.")
    created_at: datetime
    first_settled_at: datetime | None
    last_settled_at: datetime | None
    finished_at: datetime | None
    cancelled_at: datetime | None
    code: str | None = Field(None, description="Why the source could not be read to its end.")
    detail: str | None = None

    @cached_property
    def body(self) -> str:
        """As it is sent: one line of JSON."""
        return self.model_dump_json()

    @cached_property
    def etag(self) -> str:
        """The body's strong validator."""
        return hashlib.sha256(self.body.encode()).hexdigest()[:32]

    @classmethod
    def of(cls, job: Job) -> Self:
        """From the domain's job."""
        return cls(
            job_id=job.job_id,
            kind=job.kind,
            done=job.done,
            total=job.total,
            counts={state: job.counts.get(state, 0) for state in ItemState},
            pictures=JobPictures(embedded=job.embedded, reused=job.reused, reuse_rate=rounded(job.reuse_rate, 4)),
            rate=rounded(job.rate, 2),
            eta_seconds=rounded(job.eta_seconds, 1),
            created_at=job.created_at,
            first_settled_at=job.first_settled_at,
            last_settled_at=job.last_settled_at,
            finished_at=job.finished_at,
            cancelled_at=job.cancelled_at,
            code=job.code,
            detail=job.detail,
        )


def rounded(value: float | None, places: int) -> float | None:
    """A measured number without digits nobody measured."""
    return None if value is None else round(value, places)


class RetriedView(BaseModel):
    """What a retry did."""

    job_id: str
    again: int = Field(description="Items that are pending again.")
    left: int = Field(description="Failed items that cannot be tried again as they are.")


class CancelledView(BaseModel):
    """What a cancel did."""

    job_id: str
    withdrawn: int = Field(description="Items withdrawn before they started.")
    going_on: int = Field(description="Items that go on: changes of products that were there before.")


class ImportAccepted(BaseModel):
    """An import that is durable and will be read soon."""

    job_id: str
    dialect: str = Field(description="Whose columns the file has: `shelfsight`, `shopify`, `woocommerce`, `google`.")
    ignored_columns: list[str] = Field(description="Columns of the file that are no product's field.")


class ItemsParameters(BaseModel):
    """Which items of a job."""

    model_config = ConfigDict(extra="forbid")

    state: ItemState | None = None
    limit: int = Field(100, ge=1, le=1_000)
    cursor: str | None = Field(None, pattern=r"^[0-9]{1,12}$", description="`next_cursor` of the page before.")


class ItemView(BaseModel):
    """One row of a job."""

    row: int
    line: int | None = Field(None, description="Where the row begins in its file.")
    product_id: str | None
    state: ItemState
    field: str | None = None
    code: str | None = None
    detail: str | None = None
    searchable_at: datetime | None = None
    attempts: int = Field(0, description="How often a worker took it up.")

    @classmethod
    def of(cls, item: JobItem) -> Self:
        """From the domain's item."""
        return cls(
            row=item.row,
            line=item.line,
            product_id=item.product_id,
            state=item.state,
            field=item.field,
            code=item.code,
            detail=item.detail,
            searchable_at=item.searchable_at,
            attempts=item.attempts,
        )


class ItemsView(BaseModel):
    """A page of items, in the order of their rows."""

    items: list[ItemView]
    next_cursor: str | None
