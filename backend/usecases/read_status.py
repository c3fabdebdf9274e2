"""How the installation is doing, in one answer."""

from dataclasses import dataclass

from backend.errors import Unavailable
from backend.ports import Catalog, Doorbell, Jobs, Ledger, Space, VectorStore


@dataclass(frozen=True, slots=True)
class Status:
    """Counts of products, the index's size, the queue's depth, and the encoder with the reason it was chosen."""

    space: Space
    model_reason: str
    products: dict[str, int]
    points: int
    products_due: int
    imports_due: int
    broker_reachable: bool


@dataclass(frozen=True)
class ReadStatus:
    """Asks every part."""

    catalog: Catalog
    ledger: Ledger
    jobs: Jobs
    doorbell: Doorbell
    vectors: VectorStore
    model_reason: str

    def __call__(self, merchant: str) -> Status:
        """Counts of products are the merchant's own; the rest is the installation's. Raises `Unavailable`."""
        return Status(
            space=self.vectors.space,
            model_reason=self.model_reason,
            products=dict(self.catalog.count(merchant)),
            points=self.vectors.count(merchant),
            products_due=self.ledger.due(),
            imports_due=self.jobs.imports_due(),
            broker_reachable=self.doorbell.reachable(),
        )

    def readiness(self) -> dict[str, str]:
        """Part -> "ok" or what is wrong. The broker is named but not needed: uploads and searches go on without it."""
        parts: dict[str, str] = {}
        for name, probe in (("catalog", self.catalog.ping), ("index", self.vectors.count)):
            try:
                probe()
                parts[name] = "ok"
            except Unavailable as err:
                parts[name] = err.detail
        return parts
