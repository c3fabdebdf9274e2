"""Where tests keep an embedded index."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

MEMORY = Path("/dev/shm")
ENOUGH_BYTES = 256 * 2**20


@contextmanager
def folder_in_memory(otherwise: Path) -> Iterator[Path]:
    """A folder in memory where the system has room for one, else the other.

    Making an index waits for the disk some hundred times: 0.03 s here, 2 s on a busy disk. What a killed process wrote
    stays in either, and what a loss of power leaves no test here can tell.
    """
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < ENOUGH_BYTES:
        yield otherwise
        return
    with tempfile.TemporaryDirectory(prefix="shelfsight-", dir=MEMORY) as name:
        yield Path(name)


@contextmanager
def noting_flushes() -> Iterator[set[Path]]:
    """What this process's Python flushes to the disk, noted as it happens. What the engine flushes is not seen."""
    flushed, fsync = set[Path](), os.fsync

    def noted(handle: int) -> None:
        fsync(handle)
        flushed.add(Path(f"/proc/self/fd/{handle}").readlink())

    with patch.object(os, "fsync", noted):
        yield flushed
