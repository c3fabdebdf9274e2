"""Who does one kind of work in this process: how many at once, whether at all, and what is to be given back."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import BoundedSemaphore, Lock

from backend.domain.product import ProductKey
from backend.domain.work import Claim, Work
from backend.errors import Unavailable
from backend.ports import Ledger
from backend.usecases.breaker import Breaker
from backend.usecases.solitude import Solitude

GIVEN_UP_AFTER = 3
"""Times a product alone makes a part fail that works for others before and after: a disk's bad sector, say. One such
time is a part that was just about to come back; three are the product's."""


class _Doubts:
    """Products that were alone when a part failed, and how often it then worked for another one."""

    def __init__(self) -> None:
        self._open: dict[ProductKey, str] = {}
        self._confirmed: Counter[ProductKey] = Counter()
        self._reasons: dict[ProductKey, str] = {}

    def failed(self, key: ProductKey, err: Unavailable) -> None:
        self._open[key] = err.detail

    def worked(self, keys: set[ProductKey]) -> None:
        """For these products, so what failed before failed at the others alone."""
        for key, reason in self._open.items():
            if key not in keys:
                self._confirmed[key] += 1
                self._reasons[key] = reason
        self._open.clear()
        for key in keys:
            self._confirmed.pop(key, None)
            self._reasons.pop(key, None)

    def verdict(self, key: ProductKey) -> str | None:
        return self._reasons[key] if self._confirmed[key] >= GIVEN_UP_AFTER else None


@dataclass(frozen=True)
class Crew:
    """Takes claims for one kind of work, and gives them back untried when a part is down."""

    work: Work
    ledger: Ledger
    places: BoundedSemaphore
    breaker: Breaker
    solitude: Solitude
    lease_seconds: float
    _owed: list[Claim] = field(default_factory=list)
    _in_hand: list[Claim] = field(default_factory=list)
    _doubts: _Doubts = field(default_factory=_Doubts)
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
            with self.solitude.among_others():
                claimed = self._claimed(batch)
                if not _suspect(claimed):
                    with self._blameless(claimed):
                        yield claimed
                    return
                self._give_back(claimed, last=False)
            with self.solitude.alone():
                claimed = self._claimed(batch)  # the suspect, or who is first by now
                with self._blameless(claimed):
                    yield claimed
        finally:
            self.places.release()

    def gave_up(self, claim: Claim) -> str | None:
        """Why the product is not to be tried again: a part fails at it and at nothing else. None: it is to be tried."""
        with self._lock:
            return self._doubts.verdict(claim.key)

    def hand_back(self) -> None:
        """Give back what is being worked on: the process ends in a moment, by no fault of any product."""
        with self._lock:
            claims = list(self._in_hand)
        self._give_back(claims, last=False)

    def _claimed(self, batch: int) -> list[Claim]:
        limit = self.breaker.admits(batch)
        if not limit:
            return []
        try:
            self._pay()
            claimed = self.ledger.claim(self.work, limit, self.lease_seconds)
        except Unavailable as err:
            self.breaker.trip(err)
            raise
        if not claimed:  # whatever was waited for, nothing waits for it any more
            self.breaker.reset()
        return claimed

    @contextmanager
    def _blameless(self, claimed: list[Claim]) -> Iterator[None]:
        with self._lock:
            self._in_hand.extend(claimed)
        try:
            yield
        except Unavailable as err:
            self.breaker.trip(err)
            if len(claimed) == 1:
                with self._lock:
                    self._doubts.failed(claimed[0].key, err)
            # Behind all others: a product at which a part fails that works otherwise must not be the next again.
            self._give_back(claimed, last=True)
            raise
        else:
            if claimed:
                self.breaker.reset()
                with self._lock:
                    self._doubts.worked({claim.key for claim in claimed})
        finally:
            with self._lock:
                self._in_hand[:] = [claim for claim in self._in_hand if claim not in claimed]

    def _pay(self) -> None:
        with self._lock:
            owed = list(self._owed)
        if owed:
            self.ledger.release(owed, last=True)
            with self._lock:
                self._owed[:] = [claim for claim in self._owed if claim not in owed]

    def _give_back(self, claims: Sequence[Claim], *, last: bool) -> None:
        """At once, or when the catalog answers again: an attempt that an outage ended must not count."""
        try:
            self.ledger.release(claims, last=last)
        except Unavailable:
            with self._lock:
                self._owed.extend(claims)


def _suspect(claims: Sequence[Claim]) -> bool:
    """Whether the last worker of a product did not come back. Such a product is claimed by itself."""
    return any(claim.attempts > 1 for claim in claims)
