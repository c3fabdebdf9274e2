"""The time one fetch has: for waiting until its hosts have a turn for it, and for everything it then does."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from backend.errors import UrlTooSlow


class Deadline:
    """One deadline per thread, because a connection outlives the fetch that opened it.

    A fetch begins it; whatever works for that fetch (looking up, connecting, reading, redirects) runs in its thread and
    asks how much is left. So no part of it can be given more time than the whole, and a host that sends a byte now and
    then gains nothing by it. Waiting for turns has as much time of its own: taken from the whole, it left a host that
    is slow but works too little to answer in, just when many pictures of it are wanted.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._local = threading.local()

    def begin(self) -> None:
        """This thread's fetch starts now."""
        self._local.ends = time.monotonic() + self.seconds
        self._local.waited = 0.0

    def left(self) -> float:
        """Seconds left, more than 0. Raises `UrlTooSlow`."""
        left: float = self._local.ends - time.monotonic()
        if left <= 0:
            raise self.missed()
        return left

    @contextmanager
    def waiting(self) -> Iterator[float]:
        """Time spent in here is given back. Yields how many seconds the fetch may still wait; 0 or less: none."""
        began = time.monotonic()
        try:
            yield self.seconds - self._local.waited
        finally:
            passed = time.monotonic() - began
            self._local.waited += passed
            self._local.ends += passed

    def missed(self) -> UrlTooSlow:
        """The error for a fetch that takes too long."""
        return UrlTooSlow(f"the picture did not come within {self.seconds:g} s")
