"""Ring for every kind of work that waits: after a batch, for a bell that was rung meanwhile found its product held."""

from backend.domain.work import Work
from backend.ports import Doorbell, Ledger


def ring_for_what_waits(ledger: Ledger, doorbell: Doorbell) -> None:
    """A product may wait for other work than it was claimed for: it was changed while it was worked on."""
    for work in Work:
        if ledger.waiting(work):
            doorbell.ring(work)
