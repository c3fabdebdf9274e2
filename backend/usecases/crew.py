"""Who does one kind of work in this process: how many at once, whether at all, and what is to be given back."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import BoundedSemaphore, Lock

from backend.domain.work import Claim, Work
from backend.errors import Unavailable
from backend.ports import Ledger
from backend.usecases.breaker import Breaker


@dataclass(frozen=True)
class Crew:
    """Takes claims for one kind of work, and gives them back untried when a part is down."""

    work: Work
    ledger: Ledger
    places: BoundedSemaphore
    breaker: Breaker
    lease_seconds: float
    _owed: list[Claim] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    @contextmanager
    def claims(self, batch: int) -> Iterator[list[Claim]]:
        """Up to a batch of claims; none without a free place, or while a part is down.

        `Unavailable` from the block trips the breaker, gives the claims back, and goes on to the caller.
        """
        if not self.places.acquire(blocking=False):
            yield []
            return
        try:
            limit = self.breaker.admits(batch)
            claimed = self._claim(limit) if limit else []
            try:
                yield claimed
            except Unavailable as err:
                self.breaker.trip(err)
                self._give_back(claimed)
                raise
            if claimed:
                self.breaker.reset()
        finally:
            self.places.release()

    def _claim(self, limit: int) -> list[Claim]:
        with self._lock:
            owed = list(self._owed)
        if owed:
            self.ledger.release(owed)
            with self._lock:
                self._owed[:] = [claim for claim in self._owed if claim not in owed]
        return self.ledger.claim(self.work, limit, self.lease_seconds)

    def _give_back(self, claims: Sequence[Claim]) -> None:
        """At once, or when the catalog answers again: an attempt that an outage ended must not count."""
        try:
            self.ledger.release(claims)
        except Unavailable:
            with self._lock:
                self._owed.extend(claims)
