"""A shard's folder as files: copied with their holes (the engine fills only a part of a file), measured, read ahead."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from backend.durable import flush_path
from backend.errors import IndexUnavailable

BLOCK_BYTES = 512
"""The unit of `st_blocks`, whatever the file system's own block is (POSIX, sys/stat.h)."""

CHUNK_BYTES = 1 << 20

LOG = "wal"
"""Where a shard has its write-ahead log."""

RESERVE_BYTES = 64 << 20
"""What a copy leaves free: catalog, broker and the engine's own log are written beside it, and fail on a full disk."""

_ELSEWHERE = {errno.EXDEV, errno.EOPNOTSUPP, errno.ENOSYS}
"""What the kernel says when it cannot copy between these two file systems: from a data directory to a backup's disk."""


def copy_shard(source: Path, destination: Path) -> None:
    """Copy a shard that nobody writes to meanwhile. Raises `OSError`."""
    # Elsewhere than on Linux the holes are filled: more space and time, and nothing else.
    shutil.copytree(source, destination, copy_function=_copy_data if hasattr(os, "copy_file_range") else shutil.copy2)


def flush_folder(folder: Path) -> None:
    """Make a folder survive a loss of power: every file and folder in it, and its own name. Raises `OSError`.

    To be called before anything durable names a copy: the engine flushes what it believes it changed, and of what was
    copied or built by another process it knows nothing.
    """
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # the next file of its log, renamed when the engine has made it
            flush_path(path)
    flush_path(folder)
    flush_path(folder.parent)


def flush_log(shard: Path) -> None:
    """Make all that the engine was told survive a loss of power, without the engine, which would hold Python's lock.

    Its write-ahead log has every operation since its own last flush. When the shard is loaded they are applied again,
    whatever of its other files the system had written by then: any page of them as it was at that flush, or later.
    Nobody may write to it meanwhile. Raises `IndexUnavailable`.
    """
    try:
        flush_folder(shard / LOG)
    except OSError as err:
        raise IndexUnavailable(f"The embedded index's log at {shard} cannot be flushed: {err}") from err


def read_through(folder: Path) -> None:
    """Read a shard's files once, so that they are in the system's cache when the engine reads them.

    The engine holds Python's lock while it loads, and reads page by page: 2.3 s at 300,000 points, and 0.3 s from the
    cache. Reading them here stops nobody. Files that vanish or cannot be read are for the engine to miss.
    """
    for file in folder.rglob("*"):
        with contextlib.suppress(OSError), file.open("rb", buffering=0) as opened:
            while opened.read(CHUNK_BYTES):
                pass


def allocated_bytes(folder: Path) -> int:
    """What a folder's files take on the disk. Files that vanish meanwhile are left out."""
    taken = 0
    for file in folder.rglob("*"):
        try:
            taken += file.stat().st_blocks * BLOCK_BYTES
        except FileNotFoundError:
            continue
    return taken


def check_room(place: Path, needed: float) -> None:
    """Raise `IndexUnavailable` where so many bytes, and the reserve, are not free. `place`: a folder that is there."""
    wanted, free = needed + RESERVE_BYTES, shutil.disk_usage(place).free
    if free < wanted:
        said = f"it needs {wanted / 1e6:.0f} MB of disk meanwhile, and {free / 1e6:.0f} are free"
        raise IndexUnavailable(f"The embedded index cannot be copied to {place}: {said}.")


def data_ranges(file: int, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Where an open file holds something between two offsets: between them are holes. Raises `OSError`."""
    while begin < end:
        try:
            data = os.lseek(file, begin, os.SEEK_DATA)
        except OSError as err:
            if err.errno == errno.ENXIO:  # nothing but a hole is left
                return
            raise
        begin = os.lseek(file, data, os.SEEK_HOLE)
        if data < end:
            yield data, min(begin, end)


def _copy_data(source: str, destination: str) -> None:
    with Path(source).open("rb") as original, Path(destination).open("wb") as copy:
        size = os.fstat(original.fileno()).st_size
        copy.truncate(size)
        for begin, end in data_ranges(original.fileno(), 0, size):
            _copy_range(original.fileno(), copy.fileno(), begin, end)


def _copy_range(original: int, copy: int, begin: int, end: int) -> None:
    while begin < end:
        try:
            # Inside the kernel, and without Python's lock; file systems that can share blocks do.
            copied = os.copy_file_range(original, copy, end - begin, begin, begin)
        except OSError as err:
            if err.errno not in _ELSEWHERE:
                raise
            copied = os.pwrite(copy, os.pread(original, min(end - begin, CHUNK_BYTES), begin), begin)
        if copied == 0:
            raise OSError(errno.EIO, "a file became shorter while it was copied")
        begin += copied
