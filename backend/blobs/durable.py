"""What makes a file survive a loss of power, and what a disk's refusal is called."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from backend import errors

CHUNK_BYTES: Final = 1 << 20
"""1 MB: large enough that the system calls cost nothing beside the rest, small enough for many uploads at once."""


@contextmanager
def unavailable(done: str) -> Iterator[None]:
    """OSError (no space, read-only, no permission, a vanished mount) -> `errors.BlobsUnavailable` with the reason."""
    try:
        yield
    except OSError as err:
        raise errors.BlobsUnavailable(f"The picture store cannot be {done}: {err.strerror or err}.") from err


def begin_to_flush(path: Path) -> None:
    """Let the system write a file's content out, without waiting: of many files it then writes the journal once.

    Where there is no such advice (macOS), and where it is not taken, whoever flushes the file waits a little longer.
    """
    if hasattr(os, "posix_fadvise"):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            # To forget what is on the disk: Linux begins to write the rest, which it therefore keeps (mm/fadvise.c).
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def flush_path(path: Path) -> None:
    """Flush a file, or the names in a directory: a new file's content alone would be there without a name."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
