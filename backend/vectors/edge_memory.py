"""The files that the engine has mapped, kept in memory.

What nobody read for a while the system may take from its cache: when memory is short, and in a virtual machine whose
host wants some back though most is free. The engine then reads it from the disk page by page, and holds Python's lock
meanwhile: a search or an update after a quiet minute stopped everything for 2 s (300,000 points). What is locked stays.

Linux only (mlock(2), and what the process has mapped is told by proc(5)); elsewhere, and where the system forbids it,
nothing is held and the index serves all the same.
"""

import contextlib
import ctypes
import functools
import logging
import mmap
import os
import resource
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from backend.vectors.edge_copy import LOG, data_ranges
from backend.vectors.open_shard import OpenShard

log = logging.getLogger(__name__)

CHUNK_BYTES = 16 << 20
"""Locked at once: 30 ms when none of it was ever touched, in which others that map or unmap something may wait."""
PRIVILEGE = 14
"""CAP_IPC_LOCK, capabilities(7): who has it may lock as much as there is."""


class Span(NamedTuple):
    """A piece of the process's memory: its address, and bytes."""

    start: int
    size: int


class HeldMemory:
    """Looks after the memory of one open shard, in a thread of its own from `start` to `close`."""

    def __init__(self, shard: OpenShard) -> None:
        self._shard = shard
        self._process = os.getpid()
        self._said: str | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._hold_now_and_then, name="edge-memory", daemon=True)

    def start(self) -> None:
        """Look after it from now on, where the system can."""
        if sys.platform == "linux" and self._shard.limits.held_share:
            self._thread.start()

    def close(self) -> None:
        """Look no more. What is held is let go with the shard, when the engine unmaps it."""
        if os.getpid() == self._process and self._thread.ident is not None:
            self._closing.set()
            self._thread.join()

    def hold(self) -> int:
        """Lock what the shard in use has mapped and is not locked yet; how many bytes are held. Raises `OSError`.

        All or nothing: of an index that is larger than its share, the system knows best what is used.
        """
        spans = list(mapped_data(self._shard.folder))
        size = sum(span.size for span in spans)
        reason = self._objection(size)
        if reason != self._said and reason:
            log.info("The embedded index is not held in memory, so that a search may wait for the disk: %s.", reason)
        if reason is None or self._said is None:
            call = _libc().munlock if reason else _libc().mlock
            for span in spans:
                if self._closing.is_set():
                    break
                # What was unmapped since it was told is not there to be locked; what is mapped in its place by now, if
                # anything, stays in memory until it is unmapped.
                call(*span)
        self._said = reason
        return 0 if reason else size

    def _objection(self, size: int) -> str | None:
        """Why so many bytes are not to be held."""
        share = int(self._shard.limits.held_share * machine_bytes())
        if size > share:
            return f"it takes {size >> 20} MB, and its share of the machine's memory is {share >> 20} MB"
        if size > lockable_bytes():
            return f"it takes {size >> 20} MB, and the process may lock {lockable_bytes() >> 20} MB (`ulimit -l`)"
        return None

    def _hold_now_and_then(self) -> None:
        while not self._closing.wait(self._shard.limits.held_seconds):
            try:
                self.hold()
            except OSError:
                log.exception("What the embedded index has mapped cannot be told; trying again.")


def mapped_data(shard: Path) -> Iterator[Span]:
    """What this process has mapped of a shard's files, once each, in pieces; but for the log, which no search reads,
    and for holes: the engine makes its files larger than what they hold. Raises `OSError`.
    """
    told = set[tuple[str, int]]()
    folder = shard.resolve()
    for line in Path("/proc/self/maps").read_text("utf-8", errors="surrogateescape").splitlines():
        addresses, _, offset, _, _, *name = line.split(maxsplit=5)
        if not name or not name[0].startswith(f"{folder}{os.sep}") or name[0].startswith(f"{folder / LOG}{os.sep}"):
            continue
        start, end = (int(address, 16) for address in addresses.split("-"))
        begin = int(offset, 16)
        if (name[0], begin) not in told:
            told.add((name[0], begin))
            for data_begin, data_end in _data(Path(name[0]), begin, begin + end - start):
                for at in range(data_begin, data_end, CHUNK_BYTES):
                    yield Span(start + at - begin, min(CHUNK_BYTES, data_end - at))


def machine_bytes() -> int:
    """The memory there is, for the machine or for the group of processes this one is in (cgroups, version 2)."""
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(OSError, ValueError):  # no group, or one without a limit
        return min(physical, int(Path("/sys/fs/cgroup/memory.max").read_text("ascii")))
    return physical


def lockable_bytes() -> int:
    """How much the process may lock."""
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if soft == resource.RLIM_INFINITY or _privileged():
        return sys.maxsize
    return soft


def _privileged() -> bool:
    for line in Path("/proc/self/status").read_text("utf-8").splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> PRIVILEGE & 1)
    return False


def _data(path: Path, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Where a file holds something between two offsets, in whole pages. Nothing, when it is gone."""
    with contextlib.suppress(FileNotFoundError), path.open("rb", buffering=0) as file:
        for first, last in data_ranges(file.fileno(), begin, end):
            yield first // mmap.PAGESIZE * mmap.PAGESIZE, -(-last // mmap.PAGESIZE) * mmap.PAGESIZE


@functools.cache
def _libc() -> ctypes.CDLL:
    library = ctypes.CDLL(None)  # its calls give Python's lock back
    library.mlock.argtypes = library.munlock.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    return library
