"""Jobs and their ledgers as JSON."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from backend.domain.job import ItemState, Job, JobItem, JobKind


class JobView(BaseModel):
    """A job and its counts."""

    job_id: str
    kind: JobKind
    done: bool = Field(description="Every row has been read and nothing is pending.")
    total: int | None = Field(description="Rows; null while the source is still being read.")
    counts: dict[ItemState, int]
    created_at: datetime
    finished_at: datetime | None
    code: str | None = Field(None, description="Why the source could not be read to its end.")
    detail: str | None = None

    @classmethod
    def of(cls, job: Job) -> Self:
        """From the domain's job."""
        return cls(
            job_id=job.job_id,
            kind=job.kind,
            done=job.done,
            total=job.total,
            counts={state: job.counts.get(state, 0) for state in ItemState},
            created_at=job.created_at,
            finished_at=job.finished_at,
            code=job.code,
            detail=job.detail,
        )


class ImportAccepted(BaseModel):
    """An import that is durable and will be read soon."""

    job_id: str
    ignored_columns: list[str] = Field(description="Columns of the manifest that are no product's field.")


class ItemsParameters(BaseModel):
    """Which items of a job."""

    model_config = ConfigDict(extra="forbid")

    state: ItemState | None = None
    limit: int = Field(100, ge=1, le=1_000)
    cursor: str | None = Field(None, pattern=r"^[0-9]{1,12}$", description="`next_cursor` of the page before.")


class ItemView(BaseModel):
    """One row of a job."""

    row: int
    product_id: str | None
    state: ItemState
    field: str | None = None
    code: str | None = None
    detail: str | None = None
    searchable_at: datetime | None = None

    @classmethod
    def of(cls, item: JobItem) -> Self:
        """From the domain's item."""
        return cls(
            row=item.row,
            product_id=item.product_id,
            state=item.state,
            field=item.field,
            code=item.code,
            detail=item.detail,
            searchable_at=item.searchable_at,
        )


class ItemsView(BaseModel):
    """A page of items, in the order of their rows."""

    items: list[ItemView]
    next_cursor: str | None
