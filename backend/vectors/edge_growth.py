"""How a shard grows: beside the one that serves, a process of its own builds the next, which then takes its place.

The shard is copied while writers wait; the process builds the copy's segments; what was written meanwhile is read from
a journal into the copy; the description names the copy, and the former shard is removed. Killed at any moment, the
description names a shard that is whole, and the next opening removes the other.
"""

import logging
import os
import secrets
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from backend import errors
from backend.vectors.edge_build import NOTHING_TO_DO, Plan
from backend.vectors.edge_copy import allocated_bytes, check_room, flush_folder
from backend.vectors.edge_limits import EdgeLimits
from backend.vectors.edge_shard import load_shard
from backend.vectors.journal import Journal
from backend.vectors.open_shard import OpenShard
from backend.vectors.sidecar import SHARD

log = logging.getLogger(__name__)

ROOM = 2.2
"""What a build needs on the disk, in sizes of the shard: the copy, its new segments beside its old ones, and links."""
LOOKS_SECONDS = 0.2
"""How often the process is looked at: so long may a close, or a journal beyond its bound, have to wait."""
IDLE_SHARE = 0.25
BUILD_SECONDS_PER_POINT = 0.001
"""What a graph takes, about: 340 s for 300,000 points on two slow cores, 110 s on two fast ones."""

_one_at_a_time = threading.Lock()
"""Of all indexes of this process: two builds would take each other's processor and disk."""


def graph_wanted(points: int, limits: EdgeLimits, *, graph: bool) -> bool:
    """Whether a shard is to have a graph. One that has it keeps it, whatever is deleted."""
    return graph or 0 < limits.growth.graph_points <= points


def build_wanted(points: int, changed: int, idle_seconds: float, limits: EdgeLimits, *, graph: bool) -> bool:
    """Whether a shard is to be built anew. `changed`: points written since it was last. `graph`: it has one."""
    growth = limits.growth
    if not graph and graph_wanted(points, limits, graph=False):
        return True
    if not graph and points <= limits.optimize_points:
        return False  # it is optimized when it is opened
    enough = min(growth.changed_share * points, growth.changed_points)
    if idle_seconds >= growth.idle_seconds:
        enough *= IDLE_SHARE
    return changed >= max(enough, growth.fewest_changed)


def can_catch_up(points: int, written: int, seconds: float, limits: EdgeLimits) -> bool:
    """Whether a build would have to catch up with less than its journal holds, if as much is written as in the last
    `seconds`. A large import is waited for: a build beside it would be given up, and take its processor until then.
    """
    expected = written / max(seconds, 1.0) * points * BUILD_SECONDS_PER_POINT
    return expected <= limits.growth.journal_points


def remove_leftovers(folder: Path, shard: str) -> None:
    """Remove what builds that were ended left beside the shard in use. Only who holds that one may."""
    for entry in folder.glob(f"{SHARD}*"):
        if entry.name != shard:
            shutil.rmtree(entry, ignore_errors=True)  # what resists now is tried again at the next opening


class _GivenUpError(Exception):
    """The build ends without a result; the message says why."""


class Growth:
    """Looks after one open shard, in a thread of its own from `start` to `close`."""

    def __init__(self, shard: OpenShard) -> None:
        self._shard = shard
        self._limits = shard.limits
        self._process = os.getpid()
        self._closing = threading.Event()
        self._not_before = 0.0
        self._looked_at, self._changed = time.monotonic(), shard.changed
        self._number_fields: set[str] = set()
        self._thread = threading.Thread(target=self._look_now_and_then, name="edge-growth", daemon=True)

    def start(self) -> None:
        """Look after it from now on."""
        self._thread.start()

    def index_numbers(self, field: str) -> None:
        """Let the next build, and let that be soon, make an index of an attribute's numbers."""
        self._number_fields.add(field)

    def close(self) -> None:
        """End a build that is under way, and look no more. To be called before the shard is closed."""
        if os.getpid() == self._process and self._thread.ident is not None:
            self._closing.set()
            self._thread.join()

    def look(self) -> bool:
        """Build the shard anew if that is wanted now; whether another one serves since. Raises nothing of the engine's.

        What fails is logged and tried again later: nothing is lost by an index as it was.
        """
        shard, limits = self._shard, self._limits
        seconds, written = time.monotonic() - self._looked_at, shard.changed - self._changed
        try:
            points = shard.size()
            wanted = build_wanted(points, shard.changed, shard.idle_seconds, limits, graph=shard.graph)
            wanted = (wanted or bool(self._number_fields)) and can_catch_up(points, written, seconds, limits)
            if not wanted or time.monotonic() < self._not_before or not _one_at_a_time.acquire(blocking=False):
                return False
            try:
                return self._build(graph=graph_wanted(points, limits, graph=shard.graph))
            finally:
                _one_at_a_time.release()
        except (_GivenUpError, errors.IndexUnavailable, OSError) as err:
            if not self._closing.is_set():
                self._not_before = time.monotonic() + limits.growth.retry_seconds
                log.warning("The embedded index was not built anew, and serves as it is: %s.", err)
            return False
        finally:
            self._looked_at, self._changed = time.monotonic(), shard.changed

    def _look_now_and_then(self) -> None:
        while not self._closing.wait(self._limits.growth.look_seconds):
            self.look()

    def _build(self, *, graph: bool) -> bool:
        former, begun = self._shard.folder, time.monotonic()
        check_room(former, ROOM * allocated_bytes(former))
        # A name of its own: a process that outlives its parent may still write to one that was given up.
        folder = former.with_name(f"{SHARD}-{secrets.token_hex(4)}")
        try:
            self._build_at(folder, graph=graph)
        finally:
            moved = self._shard.folder == folder
            shutil.rmtree(former if moved else folder, ignore_errors=True)
        if moved:
            log.info("The embedded index was built anew in %.0f s.", time.monotonic() - begun)
        return moved

    def _build_at(self, folder: Path, *, graph: bool) -> None:
        fields = tuple(sorted(self._number_fields))
        with self._shard.copied_to(folder) as journal:
            growth = self._limits.growth
            sizes = growth.indexed_kb, growth.scan_points, min(growth.parts, os.cpu_count() or 1)
            plan = Plan(folder, self._shard.space.dimension, graph, *sizes, fields)
            if self._built(plan, journal):
                flush_folder(folder)  # before it is loaded, while nobody has to wait for the disk
                self._shard.move_to(folder, load_shard(folder), journal, graph=graph)
                self._number_fields.difference_update(fields)
            else:
                self._not_before = time.monotonic() + self._limits.growth.retry_seconds
                self._shard.settle(journal.points)

    def _built(self, plan: Plan, journal: Journal) -> bool:
        """Whether the process found something to build."""
        deadline = time.monotonic() + self._limits.growth.build_seconds
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(  # noqa: S603 - our own command
                plan.command(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said
            )
            try:
                while process.poll() is None:
                    if self._closing.wait(LOOKS_SECONDS):
                        raise _GivenUpError("the index is closed")
                    if journal.spoiled:
                        raise _GivenUpError(journal.spoiled)
                    if time.monotonic() > deadline:
                        raise _GivenUpError(f"it took longer than {self._limits.growth.build_seconds:.0f} s")
            finally:
                process.kill()
                process.wait()
            if process.returncode not in {0, NOTHING_TO_DO}:
                said.seek(0)
                last = said.read().decode(errors="replace").strip()[-500:]
                raise _GivenUpError(f"the building process ended with status {process.returncode}: {last}")
            return process.returncode == 0
