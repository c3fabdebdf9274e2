"""Doing something now and again in a thread of its own."""

import logging
import threading
from collections.abc import Callable

from backend.errors import Unavailable

log = logging.getLogger(__name__)

STOP_SECONDS = 20.0
"""How long a stopping process waits for a thread: a batch ends well within it, and a frozen part would hold the exit
for ever."""


class Recurring:
    """A thread that does something now and again every few seconds. An outage is waited for, a fault is logged."""

    def __init__(self, name: str, verb: Callable[[], object], *, seconds: float) -> None:
        """`verb` is called once at the start and then `seconds` after each call."""
        self._name = name
        self._verb = verb
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, at once when between two calls."""
        self._stop.set()
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._verb()
            except Unavailable as err:
                log.warning("the %s waits: %s", self._name, err)
            except Exception:
                log.exception("the %s failed", self._name)
            self._stop.wait(self._seconds)
