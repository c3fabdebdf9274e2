"""Whether more is taken on: what waits too long already is not made longer. Asked before a body is read."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from backend.errors import QueueFull, TooManyImports
from backend.ports import Jobs, Ledger

_FRESH_SECONDS = 0.5  # a count is used for so long: an upload must not pay for counting what waits


@dataclass(frozen=True)
class Admit:
    """Limits on what may wait: per merchant, in all, and unread imports."""

    ledger: Ledger
    jobs: Jobs
    queue_per_merchant: int
    queue_total: int
    open_imports: int
    monotonic: Callable[[], float] = field(default=time.monotonic)
    _counts: dict[str | None, tuple[float, int]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def products(self, merchant: str) -> None:
        """Raise `QueueFull` unless the merchant may add a product."""
        if self._waiting(merchant) >= self.queue_per_merchant:
            raise QueueFull(f"{self.queue_per_merchant} products of this merchant wait already")
        if self._waiting(None) >= self.queue_total:
            raise QueueFull(f"{self.queue_total} products wait already")

    def imports(self, merchant: str) -> None:
        """Raise `TooManyImports` or `QueueFull` unless the merchant may add an import."""
        self.products(merchant)
        if self.jobs.imports_due(merchant) >= self.open_imports:
            raise TooManyImports(f"{self.open_imports} imports of this merchant are still being read")

    def full(self, merchant: str) -> bool:
        """Whether reading on in an import has to wait."""
        try:
            self.products(merchant)
        except QueueFull:
            return True
        return False

    def _waiting(self, merchant: str | None) -> int:
        now = self.monotonic()
        with self._lock:
            counted_at, count = self._counts.get(merchant, (-_FRESH_SECONDS, 0))
            if now - counted_at < _FRESH_SECONDS:
                return count
        count = self.ledger.backlog(merchant).products
        with self._lock:
            if len(self._counts) > 10_000:  # noqa: PLR2004 - merchants come and go; a count is soon made again
                self._counts.clear()
            self._counts[merchant] = (now, count)
        return count
