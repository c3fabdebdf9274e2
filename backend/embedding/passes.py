"""Who goes through the model, and together with whom: what waits at the same moment shares a forward pass."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from threading import Condition
from typing import Final, Generic, TypeVar

import numpy as np

from backend.domain.picture import Vectors

T = TypeVar("T")

WINDOW_SECONDS: Final = 0.005
"""How long a pass waits for the company the one before it had. A fifth of a pass on a processor: more would be felt by
whoever asks alone, and callers that come at once are here within a millisecond or two."""

_BUSY_SECONDS: Final = 0.05
_IN_A_ROW: Final = 4
"""Passes of single questions while a batch waits: searches go first, but an import must get somewhere."""


class Passes(Generic[T]):
    """Runs `run` over inputs of any number of threads: `largest` at a time, `places` passes side by side.

    Single inputs (someone waits for a search) go before parts of batches (an import), and those that wait together go
    together. A pass that is all alone starts at once. One that follows a shared one waits a moment for the others, who
    have just got their answers and ask again. When a shared pass fails, each of its callers is tried alone, so that an
    error reaches only who caused it.
    """

    def __init__(
        self,
        run: Callable[[Sequence[T]], Vectors],
        *,
        largest: int,
        places: int = 1,
        window_seconds: float = WINDOW_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`run` gets 1 to `largest` inputs and gives a row for each."""
        self.largest = largest
        self._run = run
        self._places = places
        self._window_seconds = window_seconds
        self._monotonic = monotonic
        self._changed = Condition()
        self._single: deque[_Request[T]] = deque()
        self._bulk: deque[_Request[T]] = deque()
        self._running = 0
        self._in_a_row = 0
        self._company = 1
        self._shared_at = -_BUSY_SECONDS

    def __call__(self, inputs: Sequence[T]) -> Vectors:
        """(n, dimension), in order. Raises what `run` raises. At least one input."""
        request = _Request(inputs)
        with self._changed:
            (self._single if len(inputs) == 1 else self._bulk).append(request)
            self._changed.notify_all()
        while (parts := self._parts_for(request)) is not None:
            self._pass(parts)
        if request.error is not None:
            raise request.error
        return np.concatenate(request.rows) if len(request.rows) > 1 else request.rows[0]

    def _parts_for(self, request: "_Request[T]") -> "list[_Part[T]] | None":
        """What this thread has to run next, for itself or for others; None when its own request is done."""
        with self._changed:
            while True:
                self._changed.wait_for(
                    lambda: request.done or (self._running < self._places and bool(self._single or self._bulk))
                )
                if request.done:
                    return None
                self._running += 1  # a place is held while waiting for company
                self._await_company()
                if parts := self._taken():
                    return parts
                self._running -= 1

    def _await_company(self) -> None:
        busy = self._monotonic() - self._shared_at < _BUSY_SECONDS
        if busy and self._company > 1 and self._single:
            self._changed.wait_for(lambda: len(self._single) >= self._company, self._window_seconds)

    def _taken(self) -> "list[_Part[T]]":
        if self._single and not (self._bulk and self._in_a_row >= _IN_A_ROW):
            self._in_a_row += 1
            count = min(len(self._single), self.largest)
            return [_Part(self._single.popleft(), 0, 1) for _ in range(count)]
        self._in_a_row = 0
        if not self._bulk:
            return []
        first = self._bulk[0]
        start, first.taken = first.taken, min(first.taken + self.largest, len(first.inputs))
        if first.taken == len(first.inputs):
            self._bulk.popleft()
        return [_Part(first, start, first.taken)]

    def _pass(self, parts: "list[_Part[T]]") -> None:
        try:
            self._answer(parts)
        finally:
            with self._changed:
                self._running -= 1
                if parts[0].single:
                    self._company = len(parts)
                    self._shared_at = self._monotonic()
                self._changed.notify_all()

    def _answer(self, parts: "list[_Part[T]]") -> None:
        try:
            rows = self._run([item for part in parts for item in part.inputs])
        except BaseException as err:  # noqa: BLE001 - it belongs to the callers, who may be other threads
            if len(parts) > 1:
                for part in parts:
                    self._answer([part])
            else:
                self._give(parts[0], err)
            return
        at = 0
        for part in parts:
            self._give(part, rows[at : at + len(part.inputs)])
            at += len(part.inputs)

    def _give(self, part: "_Part[T]", answer: Vectors | BaseException) -> None:
        with self._changed:
            part.request.take(part, answer)
            if part.request.error is not None and part.request in self._bulk:
                self._bulk.remove(part.request)  # its other parts would be for nobody
            self._changed.notify_all()


class _Request(Generic[T]):
    """One caller's inputs, how many of them are taken, and the rows that are there."""

    def __init__(self, inputs: Sequence[T]) -> None:
        self.inputs = inputs
        self.taken = 0
        self.error: BaseException | None = None
        self._rows: dict[int, Vectors] = {}
        self._missing = len(inputs)

    @property
    def done(self) -> bool:
        return self.error is not None or not self._missing

    @property
    def rows(self) -> list[Vectors]:
        return [self._rows[start] for start in sorted(self._rows)]

    def take(self, part: "_Part[T]", answer: Vectors | BaseException) -> None:
        if isinstance(answer, BaseException):
            self.error = answer
        else:
            self._rows[part.start] = answer
            self._missing -= part.stop - part.start


class _Part(Generic[T]):
    """Some of a request's inputs."""

    def __init__(self, request: _Request[T], start: int, stop: int) -> None:
        self.request, self.start, self.stop = request, start, stop

    @property
    def inputs(self) -> Sequence[T]:
        return self.request.inputs[self.start : self.stop]

    @property
    def single(self) -> bool:
        return len(self.request.inputs) == 1
