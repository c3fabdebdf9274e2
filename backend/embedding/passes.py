"""Who goes through the model, and together with whom: what is asked at the same moment shares a forward pass."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import BoundedSemaphore, Condition
from typing import Final, Generic, TypeVar

import numpy as np

from backend.domain.picture import Vectors

T = TypeVar("T")

WINDOW_SECONDS: Final = 0.005
"""How long a pass waits for the company the one before it had. A fifth of a pass on a processor: more would be felt by
whoever asks alone, and callers that come at once are here within a millisecond or two."""

_BUSY_SECONDS: Final = 0.05


class Passes(Generic[T]):
    """Runs `run` over inputs of any number of threads, at most `largest` at a time.

    Single inputs (someone waits for a search) that wait together go together, in at most `places` passes side by side.
    Batches (an import) are cut into parts, of which at most `batch_places` are under way. Neither kind waits for the
    other: a search never stands behind an import's pass, and an import gets somewhere beside searches without end.

    A single input that is all alone starts at once. One that follows a shared pass waits a moment for the others, who
    have just got their answers and ask again. When a shared pass fails, each of its callers is tried alone, so that an
    error reaches only who caused it.
    """

    def __init__(
        self,
        run: Callable[[Sequence[T], int], Vectors],
        *,
        largest: int,
        places: int = 1,
        batch_places: int = 1,
        window_seconds: float = WINDOW_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`run` gets 1 to `largest` inputs, and how many passes are under way with this one; it gives a row for each
        input.
        """
        self.largest = largest
        self._run = run
        self._places = places
        self._batch_places = BoundedSemaphore(batch_places)
        self._window_seconds = window_seconds
        self._monotonic = monotonic
        self._changed = Condition()
        self._waiting: deque[_Asked[T]] = deque()
        self._shared_passes = 0
        self._under_way = 0
        self._company = 1
        self._shared_at = -_BUSY_SECONDS

    def __call__(self, inputs: Sequence[T]) -> Vectors:
        """(n, dimension), in order. Raises what `run` raises. At least one input."""
        if len(inputs) == 1:
            return self._single(inputs[0])
        rows = []
        for start in range(0, len(inputs), self.largest):
            with self._batch_places:
                rows.append(self._pass(inputs[start : start + self.largest]))
        return np.concatenate(rows)

    def _single(self, one: T) -> Vectors:
        asked = _Asked(one)
        with self._changed:
            self._waiting.append(asked)
            self._changed.notify_all()
        while together := self._next_together(asked):
            try:
                self._answer(together)
            finally:
                self._let_others_pass(len(together))
        if asked.error is not None:
            raise asked.error
        assert asked.row is not None  # noqa: S101 - for the type checker
        return asked.row

    def _next_together(self, asked: "_Asked[T]") -> "list[_Asked[T]]":
        """Whose pass this thread has to run now, for itself and others; nobody's once its own answer is there."""
        with self._changed:
            while True:
                self._changed.wait_for(
                    lambda: asked.done or (self._shared_passes < self._places and bool(self._waiting))
                )
                if asked.done:
                    return []
                self._shared_passes += 1  # the place is held while waiting for company
                if self._company > 1 and self._monotonic() - self._shared_at < _BUSY_SECONDS:
                    self._changed.wait_for(lambda: len(self._waiting) >= self._company, self._window_seconds)
                if together := [self._waiting.popleft() for _ in range(min(len(self._waiting), self.largest))]:
                    return together
                self._shared_passes -= 1  # another thread took them meanwhile

    def _let_others_pass(self, company: int) -> None:
        with self._changed:
            self._shared_passes -= 1
            self._company = company
            self._shared_at = self._monotonic()
            self._changed.notify_all()

    def _answer(self, together: "list[_Asked[T]]") -> None:
        try:
            rows = self._pass([asked.one for asked in together])
        except BaseException as err:  # noqa: BLE001 - it belongs to the callers, who may be other threads
            if len(together) > 1:
                for asked in together:
                    self._answer([asked])
            else:
                together[0].error = err
            return
        for number, asked in enumerate(together):
            asked.row = rows[number : number + 1]

    def _pass(self, inputs: Sequence[T]) -> Vectors:
        with self._counted() as under_way:
            return self._run(inputs, under_way)

    @contextmanager
    def _counted(self) -> Iterator[int]:
        with self._changed:
            self._under_way += 1
            under_way = self._under_way
        try:
            yield under_way
        finally:
            with self._changed:
                self._under_way -= 1


class _Asked(Generic[T]):
    """One caller's input, and its row or error once there."""

    def __init__(self, one: T) -> None:
        self.one = one
        self.row: Vectors | None = None
        self.error: BaseException | None = None

    @property
    def done(self) -> bool:
        return self.row is not None or self.error is not None
