"""An index's files, kept in memory.

What nobody read for a while the system may take from its cache: when memory is short, and in a virtual machine whose
host wants some back though most is free. The engine then reads it from the disk page by page, and holds Python's lock
meanwhile: a search or an update after a quiet minute stopped everything for 2 s (300,000 points). What is locked stays.

The files are mapped here once more, and that is locked, never what the engine has mapped: the engine could not make it
longer afterwards (mremap(2) takes no mapping of two kinds), and a write would fail for it. Linux only; elsewhere, and
where the system forbids it, nothing is held and the index serves all the same.
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
from collections.abc import Mapping
from pathlib import Path
from stat import S_ISREG
from typing import NamedTuple

from backend.vectors.edge_copy import BLOCK_BYTES, LOG, data_ranges
from backend.vectors.open_shard import OpenShard

log = logging.getLogger(__name__)

CHUNK_BYTES = 16 << 20
"""Locked at once: 30 ms when none of it was ever touched, in which others that map or unmap something may wait."""
PRIVILEGE = 14
"""CAP_IPC_LOCK, capabilities(7): who has it may lock as much as there is."""
FAILED = ctypes.c_void_p(-1).value


class File(NamedTuple):
    """A file with the length it has at the moment: when it gets longer it is another one."""

    number: int
    size: int


class HeldMemory:
    """Looks after the files of one open shard, in a thread of its own from `start` to `close`."""

    def __init__(self, shard: OpenShard) -> None:
        self._shard = shard
        self._process = os.getpid()
        self._places: dict[File, int] = {}  # where each is mapped
        self._said = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._hold_now_and_then, name="edge-memory", daemon=True)

    def start(self) -> None:
        """Look after it from now on, where the system can."""
        if sys.platform == "linux" and self._shard.limits.held_share:
            self._thread.start()

    def close(self) -> None:
        """Look no more, and let go of what is held."""
        if os.getpid() == self._process and self._thread.ident is not None:
            self._closing.set()
            self._thread.join()
        self.release()

    def hold(self) -> int:
        """Hold what the files of the shard in use have in them by now; how many bytes that is, 0 when it is not held.

        All or nothing: of an index that is larger than its share, the system knows best what is used. No search reads
        the log.
        """
        files, size = dict[File, Path](), 0
        for path in self._shard.folder.rglob("*"):
            with contextlib.suppress(FileNotFoundError):
                state = path.stat()
                if S_ISREG(state.st_mode) and state.st_size and self._shard.folder / LOG not in path.parents:
                    files[File(state.st_ino, state.st_size)] = path
                    size += state.st_blocks * BLOCK_BYTES
        reason = self._objection(size) or self._refusal(files)
        if reason is None:
            self._said = False
            return size
        self.release()
        if not self._said:  # once, though the reason's numbers change as the index grows
            log.info("The embedded index is not held in memory, so that a search may wait for the disk: %s.", reason)
        self._said = True
        return 0

    def release(self) -> None:
        """Let go of everything."""
        self._forget({})

    def _refusal(self, files: Mapping[File, Path]) -> str | None:
        """Hold these and no others; why the system does not do it."""
        try:
            for file, path in files.items():
                if self._closing.is_set():
                    break
                with contextlib.suppress(FileNotFoundError), path.open("rb", buffering=0) as opened:
                    self._hold_file(file, opened.fileno())
        except OSError as err:
            return str(err)
        self._forget(files)
        return None

    def _hold_file(self, file: File, handle: int) -> None:
        """All of it but its holes: the engine makes its files larger than what they hold."""
        if file not in self._places:
            self._places[file] = _mapped(handle, file.size)
        for begin, end in data_ranges(handle, 0, file.size):
            for at in range(begin // mmap.PAGESIZE * mmap.PAGESIZE, end, CHUNK_BYTES):
                if _libc().mlock(self._places[file] + at, min(CHUNK_BYTES, end - at)):
                    raise OSError(ctypes.get_errno(), "the system does not lock it after all")

    def _forget(self, files: Mapping[File, Path]) -> None:
        """Let go of all but these: others were removed, whose room on the disk is free only then, or are longer now."""
        for file in self._places.keys() - files.keys():
            _libc().munmap(self._places.pop(file), file.size)

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
            with contextlib.suppress(FileNotFoundError):  # a folder removed meanwhile: the one in use is looked at next
                self.hold()


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


def _mapped(handle: int, size: int) -> int:
    place = _libc().mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, handle, 0)
    if place == FAILED:
        raise OSError(ctypes.get_errno(), "a file of the index cannot be mapped")
    return int(place)


@functools.cache
def _libc() -> ctypes.CDLL:
    """Python's own `mmap` does not tell where it mapped something. These calls give Python's lock back."""
    library = ctypes.CDLL(None, use_errno=True)
    library.mmap.restype = ctypes.c_void_p
    library.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    library.mlock.argtypes = library.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    return library
