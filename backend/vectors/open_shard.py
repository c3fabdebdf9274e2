"""A shard in use by one process: who may ask it, when it is flushed, and what it may have lost."""

import contextlib
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from qdrant_edge import EdgeShard, UpdateOperation

from backend import errors
from backend.ports import Space
from backend.vectors.edge_shard import asked
from backend.vectors.sidecar import Sidecar, write_sidecar

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EdgeLimits:
    """How the embedded index is written. The engine holds Python's lock, so whatever it does stops every thread.

    `batch_points`: 64 stop the threads for some 5 ms; batches of 500 for 40 to 200.
    `flush_seconds`: what is written is safe from a killed process at once, and from a loss of power after this long. A
    flush takes 40 to 100 ms, most of it waiting for the disk, whatever its size.
    `flush_points`: what is not flushed is replayed when the index is opened, 9,000 points a second.
    `optimize_points`: an index up to this size is optimized when it is opened, before anything is served: up to 5 s at
    50,000, mostly 0 (it returns at once unless 5,000 points or a fifth have changed). It makes combined filters three
    times as fast (7.6 to 2.5 ms at 50,000) and frees what was deleted. Above it a start would take longer than loading
    the encoder beside it. 0 switches it off.
    """

    batch_points: int = 64
    flush_seconds: float = 5.0
    flush_points: int = 5_000
    optimize_points: int = 50_000


class OpenShard:
    """The engine's shard behind one lock for writers. Readers need none: the engine holds Python's while it answers."""

    def __init__(self, folder: Path, sidecar: Sidecar, shard: EdgeShard, limits: EdgeLimits) -> None:
        self._folder = folder
        self._sidecar = sidecar
        self._shard: EdgeShard | None = shard
        self._limits = limits
        self._process = os.getpid()
        self._writing = threading.RLock()
        self._unflushed = 0
        self._missing = max(0, sidecar.points - self.size())
        self._unsure_since = None if sidecar.clean else sidecar.flushed_at
        if sidecar.clean:  # then all there is is on the disk
            self._note(replace(sidecar, flushed_at=datetime.now(UTC), clean=False), durable=True)
        self._closing = threading.Event()
        self._timer = threading.Thread(target=self._flush_in_time, name="edge-flush", daemon=True)
        self._timer.start()

    @property
    def space(self) -> Space:
        """The space it was created for."""
        return self._sidecar.space

    @property
    def missing_points(self) -> int:
        """How many points fewer there were at opening than before, until `accept_loss`."""
        return self._missing

    @property
    def unsure_since(self) -> datetime | None:
        """What was written from this moment on may be gone; None after a clean end, and after `accept_loss`."""
        return self._unsure_since

    def accept_loss(self) -> None:
        """Take what there is for all there should be."""
        with self._exclusively():
            self._missing, self._unsure_since = 0, None
            self._flush()

    def ask(self, method: str, *arguments: Any) -> Any:
        """Put a question to the engine. Raises `IndexUnavailable`."""
        return asked(getattr(self._usable(), method), *arguments)

    def size(self) -> int:
        """How many points there are."""
        size: int = asked(self._usable().info).points_count
        return size

    def write(self, operations: Sequence[tuple[UpdateOperation, int]]) -> None:
        """Apply operations, each with the points it writes, in order and without another writer's between them."""
        with self._exclusively() as shard:
            for operation, points in operations:
                self._apply(shard, operation)
                self._unflushed += points
                if self._unflushed >= self._limits.flush_points:
                    self._flush()

    def remove(self, operation: UpdateOperation) -> None:
        """Apply an operation that removes points."""
        with self._exclusively():
            self.write([(operation, 1)])
            if self.size() < self._sidecar.points:
                # At once, or the points would be missed if the process were killed now; without waiting for the disk,
                # or every delete would.
                self._note(replace(self._sidecar, points=self.size()), durable=False)

    def flush(self) -> None:
        """Make everything written so far survive a loss of power. A disk that has nothing to write is left alone."""
        with self._exclusively():
            if self._unflushed:
                self._flush()

    def close(self) -> None:
        """Flush and let go. Nothing happens the second time, nor in a forked child, whose shard it is not."""
        if os.getpid() != self._process:
            return
        self._closing.set()
        self._timer.join()
        with self._writing:
            if self._shard is None:
                return
            try:
                self._flush(clean=True)
            finally:
                shard, self._shard = self._shard, None
                asked(shard.close)

    def _usable(self) -> EdgeShard:
        if os.getpid() != self._process:
            # The engine's threads were not forked: a query would wait for them for ever, and a write would go through
            # beside those of the parent.
            raise errors.IndexUnavailable(
                "The embedded index was opened before this process was forked; open it in the process that uses it."
            )
        if self._shard is None:
            raise errors.IndexUnavailable("The embedded index is closed.")
        return self._shard

    @contextlib.contextmanager
    def _exclusively(self) -> Iterator[EdgeShard]:
        self._usable()  # before the lock: in a forked child nobody may be left to release it
        with self._writing:
            yield self._usable()

    def _apply(self, shard: EdgeShard, operation: UpdateOperation) -> None:
        try:
            asked(shard.update, operation)
        except BaseException:
            # A refused batch may be half applied, and a replay of the log would apply another half: settle it now.
            with contextlib.suppress(errors.IndexUnavailable):
                asked(shard.flush)
            raise

    def _flush(self, *, clean: bool = False) -> None:
        begun = datetime.now(UTC)  # before it: what is written after a flush has begun may have missed it
        asked(self._usable().flush)
        self._unflushed = 0
        self._note(replace(self._sidecar, points=self.size(), flushed_at=begun, clean=clean), durable=True)

    def _note(self, sidecar: Sidecar, *, durable: bool) -> None:
        if self._missing or self._unsure_since is not None:
            return  # the loss must be seen at the next start too, until it was accepted
        self._sidecar = sidecar
        write_sidecar(self._folder, sidecar, durable=durable)

    def _flush_in_time(self) -> None:
        while not self._closing.wait(self._limits.flush_seconds):
            if self._unflushed:
                try:
                    self.flush()
                except errors.IndexUnavailable:
                    log.exception("The embedded index could not be flushed; trying again.")
