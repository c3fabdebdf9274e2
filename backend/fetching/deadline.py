"""The time one fetch has, over everything it does: waiting its turn, looking up, connecting, reading, redirects."""

import threading
import time

from backend.errors import UrlTooSlow


class Deadline:
    """One deadline per thread, because a connection outlives the fetch that opened it.

    A fetch begins it; whatever works for that fetch runs in its thread and asks how much is left. So no part of it can
    be given more time than the whole, and a host that sends a byte now and then gains nothing by it.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._local = threading.local()

    def begin(self) -> None:
        """This thread's fetch starts now."""
        self._local.ends = time.monotonic() + self.seconds

    def left(self) -> float:
        """Seconds left, more than 0. Raises `UrlTooSlow`."""
        left: float = self._local.ends - time.monotonic()
        if left <= 0:
            raise self.missed()
        return left

    def missed(self) -> UrlTooSlow:
        """The error for a fetch that takes too long."""
        return UrlTooSlow(f"the picture did not come within {self.seconds:g} s")
