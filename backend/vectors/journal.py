"""What is written to a shard while a copy of it is rebuilt, to be written to the copy afterwards."""

import threading
import time
from typing import Protocol

from qdrant_edge import UpdateOperation

from backend.vectors.edge_shard import asked

CAUGHT_UP = 16
"""Operations that may be left when the writers are made to wait: 0.1 s, if all are full batches."""


class Engine(Protocol):
    """What operations are written to."""

    def update(self, operation: UpdateOperation) -> None:
        """Apply one."""
        ...


class Journal:
    """Operations since the copy, in the order in which they were applied, up to a bound.

    In memory: when the process dies the copy is thrown away, and the shard itself has everything. Any thread may add;
    `spoiled` says why it does not hold all there was.
    """

    def __init__(self, most_points: int) -> None:
        self._most_points = most_points
        self._lock = threading.Lock()
        self._operations: list[UpdateOperation] = []
        self.points = 0
        """How many points were written in all, each as often as it was written."""
        self.spoiled: str | None = None

    def add(self, operation: UpdateOperation, points: int) -> None:
        """Keep an operation that wrote so many points, unless that is beyond the bound."""
        with self._lock:
            self.points += points
            if self.points > self._most_points:
                self._spoil(f"more than {self._most_points} points were written meanwhile")
            if self.spoiled is None:
                self._operations.append(operation)

    def spoil(self, reason: str) -> None:
        """The copy cannot be brought up to the shard any more: what happened to the shard is not known."""
        with self._lock:
            self._spoil(reason)

    def catch_up(self, engine: Engine) -> None:
        """Write to the copy what the shard was told, until little is left. Readers get half of the time: each
        operation stops them. Raises `IndexUnavailable`.
        """
        while True:
            late = self._taken()
            for operation in late:
                begun = time.monotonic()
                asked(engine.update, operation)
                time.sleep(time.monotonic() - begun)
            if len(late) <= CAUGHT_UP:
                return

    def finish(self, engine: Engine) -> None:
        """Write the rest, while nobody adds to it. Raises `IndexUnavailable`."""
        for operation in self._taken():
            asked(engine.update, operation)

    def _taken(self) -> list[UpdateOperation]:
        with self._lock:
            taken, self._operations = self._operations, []
            return taken

    def _spoil(self, reason: str) -> None:
        self.spoiled = self.spoiled or reason
        self._operations.clear()
