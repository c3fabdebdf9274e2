"""A shard in use by one process: who may ask it, when it is flushed, and what it may have lost."""

import contextlib
import logging
import os
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from qdrant_edge import EdgeShard, UpdateOperation

from backend import errors
from backend.ports import Space
from backend.vectors.edge_copy import allocated_bytes, check_room, copy_shard, flush_folder, flush_log
from backend.vectors.edge_limits import EdgeLimits
from backend.vectors.edge_shard import asked, close_shard, discard_shard, number_indexes
from backend.vectors.journal import Journal
from backend.vectors.sidecar import NAME as SIDECAR_NAME
from backend.vectors.sidecar import Sidecar, write_sidecar

log = logging.getLogger(__name__)


class OpenShard:
    """The engine's shard behind one lock for writers. Readers need none: the engine holds Python's while it answers."""

    def __init__(self, folder: Path, sidecar: Sidecar, shard: EdgeShard, limits: EdgeLimits) -> None:
        self._folder = folder
        self._sidecar = sidecar
        self._shard: EdgeShard | None = shard
        self._limits = limits
        self._process = os.getpid()
        self._writing = threading.RLock()
        self._unflushed = 0  # points that a loss of power may take
        self._logged = 0  # points that are to be read from the log when the shard is opened
        self._changed = sidecar.changed
        self._revision = 0
        self._journal: Journal | None = None
        self._written_at = time.monotonic()
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
    def limits(self) -> EdgeLimits:
        """As it was opened with."""
        return self._limits

    @property
    def folder(self) -> Path:
        """Where the shard in use stands."""
        return self._folder / self._sidecar.shard

    @property
    def graph(self) -> bool:
        """Whether the shard in use has an HNSW graph."""
        return self._sidecar.graph

    @property
    def changed(self) -> int:
        """Points written since the segments were last built, each as often as it was written."""
        return self._changed

    @property
    def revision(self) -> int:
        """Another number after every write, and for another shard: what was counted at one holds while it stands."""
        return self._revision

    @property
    def idle_seconds(self) -> float:
        """How long ago the last write was."""
        return time.monotonic() - self._written_at

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
        while True:
            shard = self._usable()
            try:
                return asked(getattr(shard, method), *arguments)
            except errors.IndexUnavailable:
                if shard is self._shard:
                    raise
                # It was replaced, and closed, between the two lines: the other one answers.

    def size(self) -> int:
        """How many points there are."""
        size: int = self.ask("info").points_count
        return size

    def number_indexes(self) -> set[str]:
        """The attributes that have an index of their numbers."""
        return number_indexes(self._usable())

    def write(self, operations: Sequence[tuple[UpdateOperation, int]]) -> None:
        """Apply operations, each with the points it writes, in order and without another writer's between them."""
        with self._exclusively() as shard:
            for operation, points in operations:
                self._apply(shard, operation)
                if self._journal is not None:
                    self._journal.add(operation, points)
                self._unflushed += points
                self._logged += points
                self._changed += points
                self._revision += 1
                self._written_at = time.monotonic()
                if self._logged >= self._limits.replayed_points and self._journal is None:
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
        """Make everything written so far survive a loss of power: the log of it, from which the rest is made anew.

        Writers wait for the disk, readers do not. A disk that has nothing to write is left alone.
        """
        with self._exclusively():
            if self._unflushed:
                self._flush_log()

    def snapshot(self, folder: Path) -> None:
        """Copy the index to a new folder, as a process that is killed now would leave it: to be opened like that.

        Writers wait for the copy, readers do not: 1 GB takes some 3 s. Raises `IndexUnavailable`; when the disk has no
        room for it, before anything is written.
        """
        with self._exclusively():
            self._flush()
            try:
                folder.parent.mkdir(parents=True, exist_ok=True)
                check_room(folder.parent, allocated_bytes(self.folder))
                folder.mkdir()
                copy_shard(self.folder, folder / self.folder.name)
                shutil.copyfile(self._folder / SIDECAR_NAME, folder / SIDECAR_NAME)
            except OSError as err:
                raise errors.IndexUnavailable(f"The embedded index cannot be copied to {folder}: {err}") from err

    def settle(self, changed: int = 0) -> None:
        """Its segments are as they should be, but for so many points written since."""
        self._changed = changed

    @contextlib.contextmanager
    def copied_to(self, folder: Path) -> Iterator[Journal]:
        """Copy the shard there, and keep a journal of what is written from then on, until the block's end.

        Writers wait for the copy, readers do not: 1 GB takes some 3 s. Raises `IndexUnavailable`.
        """
        with self._exclusively():
            self._flush()
            try:
                copy_shard(self.folder, folder)
            except OSError as err:
                raise errors.IndexUnavailable(f"The embedded index cannot be copied to {folder}: {err}") from err
            journal = self._journal = Journal(self._limits.growth.journal_points)
        try:
            yield journal
        finally:
            self._journal = None

    def move_to(self, folder: Path, engine: EdgeShard, journal: Journal, *, graph: bool) -> None:
        """Serve from `engine` at `folder`, which holds, on the disk, what this one held when the journal was begun.

        It is brought up to this one first, by steps between which readers are served. Killed at any moment, the process
        finds one of the two noted, and that one whole. Raises `IndexUnavailable`, `OSError`: then nothing has changed.
        """
        closed = engine
        try:
            journal.catch_up(engine)
            flush_folder(folder)
            journal.catch_up(engine)
            flush_log(folder)  # so that the flush for which writers wait has little to do
            with self._exclusively() as former:
                self._take_over(folder, engine, journal, graph=graph)
                closed = former
        finally:
            try:
                discard_shard(closed)  # whoever still asks the former one asks again
            except errors.IndexUnavailable:
                log.exception("A shard that is not used any more could not be closed; it goes with the process.")

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
                close_shard(shard)

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
        except BaseException as err:
            if self._journal is not None:
                self._journal.spoil(f"a write failed: {err}")
            # A refused batch may be half applied, and a replay of the log would apply another half: settle it now.
            with contextlib.suppress(errors.IndexUnavailable):
                asked(shard.flush)
            raise

    def _flush_log(self) -> float:
        """The seconds for which the disk was waited for."""
        began, begun = time.monotonic(), datetime.now(UTC)
        flush_log(self.folder)
        seconds = time.monotonic() - began
        self._flushed(begun)
        return seconds

    def _flush(self, *, clean: bool = False) -> None:
        """Let the engine flush: nothing is left to be read from its log. It holds Python's lock while it waits for the
        disk, once for each of its files, changed or not: some 600 times with two parts.
        """
        begun = datetime.now(UTC)  # before it: what is written after a flush has begun may have missed it
        asked(self._usable().flush)
        self._logged = 0
        self._flushed(begun, clean=clean)

    def _flushed(self, begun: datetime, *, clean: bool = False) -> None:
        self._unflushed = 0
        noted = replace(self._sidecar, points=self.size(), flushed_at=begun, clean=clean, changed=self._changed)
        self._note(noted, durable=True)

    def _note(self, sidecar: Sidecar, *, durable: bool) -> None:
        if self._missing or self._unsure_since is not None:
            return  # the loss must be seen at the next start too, until it was accepted
        self._sidecar = sidecar
        write_sidecar(self._folder, sidecar, durable=durable)

    def _take_over(self, folder: Path, engine: EdgeShard, journal: Journal, *, graph: bool) -> None:
        journal.finish(engine)
        begun = datetime.now(UTC)
        flush_log(folder)
        points, expected = asked(engine.info).points_count, self.size()
        if journal.spoiled or points != expected:
            raise errors.IndexUnavailable(journal.spoiled or f"{points} points instead of {expected} were built")
        noted = replace(self._sidecar, shard=folder.name, graph=graph, changed=journal.points)
        self._point_to(noted, points, begun)
        self._shard, self._journal = engine, None
        self._changed = self._logged = journal.points
        self._unflushed = 0
        self._revision += 1

    def _point_to(self, sidecar: Sidecar, points: int, flushed_at: datetime) -> None:
        """Note another shard, durably or not at all. A doubt about what it holds stays noted."""
        former = self._sidecar
        if not self._missing and self._unsure_since is None:
            sidecar = replace(sidecar, points=points, flushed_at=flushed_at)
        try:
            write_sidecar(self._folder, sidecar, durable=True)
        except errors.IndexUnavailable:
            # It may stand there all the same, though perhaps not for long.
            write_sidecar(self._folder, former, durable=False)
            raise
        self._sidecar = sidecar

    def _flush_in_time(self) -> None:
        while not self._closing.wait(self._limits.flush_seconds):
            try:
                self._flush_what_is_due()
            except errors.IndexUnavailable:
                log.exception("The embedded index could not be flushed; trying again.")

    def _flush_what_is_due(self) -> None:
        """The log; and by the engine what has been in it for long enough, if the disk has little else to do."""
        with self._exclusively():
            due = self._logged >= self._limits.flush_points and self._journal is None  # a build keeps the disk busy
            if not self._unflushed and not due:
                return
            seconds = self._flush_log()
            if due and seconds <= self._limits.calm_seconds:
                self._flush()
