"""What a process that searches or works does every second: go over to the index that is to serve.

Another process has built it. Its encoder is loaded and it is opened while the one that serves answers; then one
reference is replaced. Every verb is made over one index, so whoever began with the old one ends with it.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from backend.domain.generation import Generation, IndexState
from backend.errors import IndexUnavailable, ShelfsightError
from backend.ports import Indexes
from backend.usecases.build_index import BuildIndex
from backend.usecases.served_index import ServedIndex
from backend.usecases.switch_index import SwitchIndex

log = logging.getLogger(__name__)

FOLLOW_SECONDS = 1.0
"""Between two looks, each a query for a row or two."""

AGAIN_SECONDS = 30.0
"""After an index could not be opened here: loading an encoder takes seconds of everybody's processor."""

OPENING = "the server opens it"
"""Noted before, and removed after: opening may take more memory than there is, and then nobody is left to say so."""


def withdraw_unopened(indexes: Indexes) -> None:
    """At the start of the only process that opens the index: what ended the former one would end this one too."""
    for it in indexes.generations():
        if it.state is IndexState.READY and it.detail == OPENING:
            indexes.withdraw(it.number, "the server ended while it opened it, perhaps for want of memory")
            log.error("generation %d of the index does not serve: the process ended while it opened it", it.number)


@dataclass
class FollowIndex:
    """`alone`: this process is the only one that may open the index, so it switches too. `number` serves here."""

    indexes: Indexes
    switch: SwitchIndex
    open: Callable[[Generation], ServedIndex]
    build: Callable[[ServedIndex], BuildIndex]
    take: Callable[[ServedIndex], None]
    number: int
    alone: bool
    monotonic: Callable[[], float] = field(default=time.monotonic)
    _next: ServedIndex | None = None
    _not_before: float = 0.0

    def __call__(self) -> None:
        """Raises `Unavailable` when a part is down; the next call does what this one could not."""
        generations = self.indexes.generations()
        serving = next((it for it in generations if it.state is IndexState.SERVING), None)
        ready = next((it for it in generations if it.state is IndexState.READY), None)
        if serving is not None and serving.number != self.number:
            self._go_over(serving)
        elif ready is None:
            self._close_next()
        elif self.alone:
            self._switch_to(ready)
        else:  # whoever built it will switch; to be ready then is all there is to do
            self._opened(ready)

    def _go_over(self, serving: Generation) -> None:
        if self._opened(serving) is not None:
            self._take()

    def _switch_to(self, ready: Generation) -> None:
        """Tell the catalog when it cannot be: whoever built it waits for that."""
        try:
            opened = self._opened_for_good(ready)
            place = opened.place(ready)
            if not place.filled:
                raise IndexUnavailable("it lost points; build it again")
            self.switch(self.build(opened), place, lambda _: None)
        except Exception as err:
            log.exception("generation %d of the index does not serve", ready.number)
            self._close_next()
            self.indexes.withdraw(ready.number, _reason(err))
        else:
            self._take()
            opened.accept_loss()  # it was told again all it may have lost, and the rest is due

    def _opened_for_good(self, ready: Generation) -> ServedIndex:
        """Raises whatever the opening does."""
        self._close_next()
        self.indexes.record(replace(ready, detail=OPENING))
        self._next = self.open(ready)
        self.indexes.record(replace(ready, detail=None))
        return self._next

    def _opened(self, wanted: Generation) -> ServedIndex | None:
        if self._next is not None and self._next.number == wanted.number:
            return self._next
        self._close_next()
        if self.monotonic() < self._not_before:
            return None
        try:
            self._next = self.open(wanted)
        except Exception:
            log.exception("generation %d of the index cannot be opened here; the former one is used", wanted.number)
            self._not_before = self.monotonic() + AGAIN_SECONDS
        return self._next

    def _take(self) -> None:
        taken, self._next = self._next, None
        if taken is not None:
            self.take(taken)
            self.number = taken.number

    def _close_next(self) -> None:
        opened, self._next = self._next, None
        if opened is not None:
            opened.vectors.close()


def _reason(err: Exception) -> str:
    if isinstance(err, ShelfsightError):
        return f"{err.code}: {err.detail}"
    return f"{type(err).__name__} while the server went over to it; see the log"
