"""While a part is down, nothing that needs it is taken up: outages are nobody's fault, and a rush mends nothing."""

import threading
import time
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from datetime import datetime, timedelta

from backend.errors import Unavailable
from backend.ports import Clock

FIRST_SECONDS = 1.0  # a restarted part is back in about this time
LONGEST_SECONDS = 15.0  # what an outage of an hour adds to its end


@dataclass(frozen=True, slots=True)
class Pause:
    """Work that waits for a part: which, why, since when, and when it is tried again."""

    work: str
    part: str
    reason: str
    since: datetime
    until: datetime


class Breaker:
    """Closed: whole batches. Open: nothing, for a pause that doubles. Then half-open: a single product is the probe."""

    def __init__(self, work: str, clock: Clock, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`monotonic`: pauses must not grow when the wall clock is set back."""
        self._work = work
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._seconds = 0.0
        self._until = 0.0
        self._since: datetime | None = None
        self._error: Unavailable | None = None

    def admits(self, batch: int) -> int:
        """How many products may be taken up now: all, one to try, or none."""
        with self._lock:
            if self._error is None:
                return batch
            remaining = self._until - self._monotonic()
            if remaining > 0:
                return 0
            self._until = self._monotonic() + self._seconds  # one probe at a time: the others go on waiting
            return 1

    def trip(self, error: Unavailable) -> None:
        """A part was down."""
        with self._lock:
            self._since = self._since or self._clock()
            self._error = copy(error)  # without its traceback, which holds whatever failed with all it stands on
            self._seconds = min(self._seconds * 2 or FIRST_SECONDS, LONGEST_SECONDS)
            self._until = self._monotonic() + self._seconds

    def reset(self) -> None:
        """All parts answered."""
        with self._lock:
            self._error = self._since = None
            self._seconds = 0.0

    def pause(self) -> Pause | None:
        """What is to be said of it; None while closed."""
        with self._lock:
            if self._error is None or self._since is None:
                return None
            until = self._clock() + timedelta(seconds=max(self._until - self._monotonic(), 0.0))
            return Pause(
                self._work, self._error.code.removesuffix("_unavailable"), self._error.detail, self._since, until
            )
