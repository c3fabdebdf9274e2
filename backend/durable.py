"""What a loss of power does not take: files and their names, once they are flushed to the disk."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def flush_path(path: Path) -> None:
    """Flush a file, or the names in a folder: POSIX keeps a file's name for certain only by that. Raises `OSError`."""
    with _opened(path) as descriptor:
        os.fsync(descriptor)


def put_in_place(draft: Path, path: Path) -> None:
    """Give a file of the same folder its name, which may be another's until then: after a loss of power there is either
    the one or the other, whole; once this returns, this one. Raises `OSError`.
    """
    flush_path(draft)
    draft.replace(path)
    flush_path(path.parent)


def begin_to_flush(path: Path) -> None:
    """Let the system write a file's content out, without waiting: of many files it then writes the journal once.

    Where there is no such advice (macOS), and where it is not taken, whoever flushes the file waits a little longer.
    Raises `OSError`.
    """
    if hasattr(os, "posix_fadvise"):
        with _opened(path) as descriptor:
            # To forget what is on the disk: Linux begins to write the rest, which it therefore keeps (mm/fadvise.c).
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
