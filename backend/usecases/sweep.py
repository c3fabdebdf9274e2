"""What makes lost messages harmless: now and then look at the ledger itself, and ring for what is due."""

from dataclasses import dataclass

from backend.domain.work import Work
from backend.ports import Doorbell, Jobs, Ledger, VectorStore


@dataclass(frozen=True)
class Sweep:
    """Return leases that ran out, ring for due work, make the index's writes survive a loss of power."""

    ledger: Ledger
    jobs: Jobs
    doorbell: Doorbell
    vectors: VectorStore

    def __call__(self, *, sole_owner: bool = False) -> None:
        """`sole_owner`: nobody else works on this catalog, so every lease is an orphan (start of the embedded mode)."""
        self.ledger.return_leases(expired_only=not sole_owner)
        for work in Work:
            if self.ledger.waiting(work):
                self.doorbell.ring(work)
        if self.jobs.imports_due():
            self.doorbell.ring_imports()
        self.vectors.flush()
