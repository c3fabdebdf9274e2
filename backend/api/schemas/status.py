"""The state of an installation as JSON."""

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, Field

from backend.domain.index_check import IndexCheck
from backend.domain.work import Backlog
from backend.usecases.read_status import Status


class ModelView(BaseModel):
    """The encoder the index was built by."""

    name: str
    dimension: int
    fingerprint: str = Field(description="Hash of weights and preprocessing; vectors of two fingerprints never mix.")
    reason: str = Field(description="Why this encoder is used.")
    how: str = Field(description="What it computes with: device, number type, threads, batches.")


class RecallView(BaseModel):
    """What the latest check of the index found, on some merchant's products."""

    at: datetime
    recall: float = Field(description="Recall@10 beside exact search, under the class of filters where it is least.")
    filters: dict[str, float] = Field(description="The same by class of filters.")

    @classmethod
    def of(cls, check: IndexCheck | None) -> Self | None:
        """None when there was nothing to check yet."""
        if check is None or check.recall is None:
            return None
        by_class = {item.name: round(item.recall, 4) for item in check.filters}
        return cls(at=check.at, recall=round(check.recall, 4), filters=by_class)


class IndexView(BaseModel):
    """The vector index."""

    points: int = Field(description="Pictures in the index, of this merchant.")
    recall: RecallView | None = Field(description="As this process last checked it; null: not yet.")


class PausedView(BaseModel):
    """Work that waits for a part that is down."""

    work: str
    part: str
    reason: str
    since: datetime
    until: datetime = Field(description="When it is tried again.")


class QueueView(BaseModel):
    """Work that waits: of the installation, and (`_merchant`) of this merchant."""

    products_due: int
    products_due_merchant: int
    imports_due: int
    imports_due_merchant: int
    lag_seconds: float = Field(description="How long the oldest of them has been waiting; 0 when nothing waits.")
    lag_seconds_merchant: float
    limit: int = Field(description="Products that may wait; beyond it uploads are answered with 429.")
    limit_merchant: int
    paused: list[PausedView] = Field(description="What this process does not work on now, and why.")
    broker: Literal["ok", "unreachable"]

    @classmethod
    def of(cls, status: Status, *, now: datetime) -> Self:
        """From the use case's answer."""
        return cls(
            products_due=status.backlog_total.products,
            products_due_merchant=status.backlog.products,
            imports_due=status.imports_due_total,
            imports_due_merchant=status.imports_due,
            lag_seconds=_lag(status.backlog_total, now),
            lag_seconds_merchant=_lag(status.backlog, now),
            limit=status.queue_total,
            limit_merchant=status.queue_per_merchant,
            paused=[
                PausedView(work=item.work, part=item.part, reason=item.reason, since=item.since, until=item.until)
                for item in status.paused
            ],
            broker="ok" if status.broker_reachable else "unreachable",
        )


def _lag(backlog: Backlog, now: datetime) -> float:
    """Never below zero: another machine's clock may be ahead of ours."""
    return 0.0 if backlog.oldest is None else round(max((now - backlog.oldest).total_seconds(), 0.0), 1)


class StatusView(BaseModel):
    """How the installation is doing."""

    version: str
    mode: Literal["embedded", "server"]
    merchant: str
    memory_bytes: int | None = Field(
        description="Bytes the answering process takes, with its share of what processes have in common, as mapped "
        "weights; null where the system does not say."
    )
    model: ModelView
    index: IndexView
    products: dict[str, int] = Field(description="This merchant's live products by state, and searchable pictures.")
    queue: QueueView

    @classmethod
    def of(cls, status: Status, *, version: str, embedded: bool, merchant: str, now: datetime) -> Self:
        """From the use case's answer."""
        return cls(
            version=version,
            mode="embedded" if embedded else "server",
            merchant=merchant,
            memory_bytes=status.memory_bytes,
            model=ModelView(
                name=status.space.model,
                dimension=status.space.dimension,
                fingerprint=status.space.fingerprint,
                reason=status.model_reason,
                how=status.model_how,
            ),
            index=IndexView(points=status.points, recall=RecallView.of(status.recall)),
            products=status.products,
            queue=QueueView.of(status, now=now),
        )


class HealthView(BaseModel):
    """The process is alive."""

    status: Literal["ok"] = "ok"


class ReadyView(BaseModel):
    """Whether requests can be served, part by part."""

    status: Literal["ready", "not ready"]
    parts: dict[str, str]
