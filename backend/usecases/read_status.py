"""How the installation is doing, in one answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from backend.domain.index_check import IndexCheck
from backend.domain.work import Backlog
from backend.errors import Unavailable
from backend.ports import Catalog, Doorbell, Embedder, Jobs, Ledger, Space, VectorStore
from backend.usecases.admit import Admit
from backend.usecases.breaker import Breaker, Pause
from backend.usecases.check_index import CheckIndex


@dataclass(frozen=True, slots=True)
class Status:
    """Counts of products, the index's size, the queue's depth, and the encoder with the reason it was chosen.

    `model_how` is what the encoder computes with; `memory_bytes` what this process takes, None where nobody can tell.
    `products`, `points`, `backlog` and `imports_due` are the merchant's own. `paused`: work of this process that waits
    for a part that is down. `recall`: what this process's latest check of the index found, if there was one.
    """

    space: Space
    model_reason: str
    model_how: str
    memory_bytes: int | None
    products: dict[str, int]
    points: int
    backlog: Backlog
    backlog_total: Backlog
    imports_due: int
    imports_due_total: int
    queue_per_merchant: int
    queue_total: int
    broker_reachable: bool
    paused: tuple[Pause, ...]
    recall: IndexCheck | None


@dataclass(frozen=True)
class ReadStatus:
    """Asks every part."""

    catalog: Catalog
    ledger: Ledger
    jobs: Jobs
    doorbell: Doorbell
    vectors: VectorStore
    embedder: Embedder
    memory: Callable[[], int | None]
    admit: Admit
    breakers: Sequence[Breaker]
    model_reason: str
    check_index: CheckIndex

    def __call__(self, merchant: str) -> Status:
        """How it is for one merchant, and for the installation. Raises `Unavailable`."""
        return Status(
            space=self.vectors.space,
            model_reason=self.model_reason,
            model_how=self.embedder.how,
            memory_bytes=self.memory(),
            products=dict(self.catalog.count(merchant)),
            points=self.vectors.count(merchant),
            backlog=self.ledger.backlog(merchant),
            backlog_total=self.ledger.backlog(),
            imports_due=self.jobs.imports_due(merchant),
            imports_due_total=self.jobs.imports_due(),
            queue_per_merchant=self.admit.queue_per_merchant,
            queue_total=self.admit.queue_total,
            broker_reachable=self.doorbell.reachable(),
            paused=tuple(pause for breaker in self.breakers if (pause := breaker.pause())),
            recall=self.check_index.last,
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
