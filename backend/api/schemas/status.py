"""The state of an installation as JSON."""

from typing import Literal, Self

from pydantic import BaseModel, Field

from backend.usecases.read_status import Status


class ModelView(BaseModel):
    """The encoder the index was built by."""

    name: str
    dimension: int
    fingerprint: str = Field(description="Hash of weights and preprocessing; vectors of two fingerprints never mix.")
    reason: str = Field(description="Why this encoder is used.")


class IndexView(BaseModel):
    """The vector index."""

    points: int = Field(description="Pictures in the index, of this merchant.")


class QueueView(BaseModel):
    """Work that waits, of all merchants."""

    products_due: int
    imports_due: int
    broker: Literal["ok", "unreachable"]


class StatusView(BaseModel):
    """How the installation is doing."""

    version: str
    mode: Literal["embedded", "server"]
    merchant: str
    model: ModelView
    index: IndexView
    products: dict[str, int] = Field(description="This merchant's live products by state, and searchable pictures.")
    queue: QueueView

    @classmethod
    def of(cls, status: Status, *, version: str, embedded: bool, merchant: str) -> Self:
        """From the use case's answer."""
        return cls(
            version=version,
            mode="embedded" if embedded else "server",
            merchant=merchant,
            model=ModelView(
                name=status.space.model,
                dimension=status.space.dimension,
                fingerprint=status.space.fingerprint,
                reason=status.model_reason,
            ),
            index=IndexView(points=status.points),
            products=status.products,
            queue=QueueView(
                products_due=status.products_due,
                imports_due=status.imports_due,
                broker="ok" if status.broker_reachable else "unreachable",
            ),
        )


class HealthView(BaseModel):
    """The process is alive."""

    status: Literal["ok"] = "ok"


class ReadyView(BaseModel):
    """Whether requests can be served, part by part."""

    status: Literal["ready", "not ready"]
    parts: dict[str, str]
