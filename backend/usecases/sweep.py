"""What makes lost messages harmless: now and then look at the ledger itself, and ring for what is due."""

from dataclasses import dataclass

from backend.ports import Doorbell, Jobs, Ledger, VectorStore
from backend.usecases.ring_for_what_waits import ring_for_what_waits


@dataclass(frozen=True)
class Sweep:
    """Return leases that ran out, ring for due work, make the index's writes survive a loss of power."""

    ledger: Ledger
    jobs: Jobs
    doorbell: Doorbell
    vectors: VectorStore

    def __call__(self) -> None:
        """Raises `Unavailable` when a part is down; the next sweep does what this one could not."""
        self.ledger.return_leases()
        ring_for_what_waits(self.ledger, self.doorbell)
        if self.jobs.imports_due():
            self.doorbell.ring_imports()
        self.vectors.flush()

    def take_over(self) -> None:
        """Before anything is claimed, where nobody else works on this catalog: every lease is a dead process's."""
        self.ledger.return_leases(expired_only=False)
