"""The port `BlobStore` on a directory: one file per content, named by its sha-256, written once and never changed."""

import fcntl
import hashlib
import os
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Final

from backend import errors
from backend.blobs.durable import flush_directory, unavailable

_HASH: Final = re.compile(r"[0-9a-f]{64}")
"""What a sha-256 in hex looks like. Nothing else becomes part of a path, so no path can be climbed."""

_INCOMING: Final = "incoming"
_LOCK: Final = "lock"


class FilesystemBlobs:
    """Blobs under `root/ab/cd/<hash>`. Safe from several threads and processes, on one file system.

    The two levels of directories keep each below some thousand entries up to a hundred million blobs.

    A blob is written under a temporary name, flushed to the disk, and only then given its own name, which also is
    flushed: a blob that has its name is whole, also after a power loss (as far as the disk keeps what fsync promises).

    A blob's time of modification says when it was last put. Whoever puts one holds the lock `root/lock` with others
    while the blob is stamped or named, and whoever discards one holds it alone: so what was put is never discarded by
    somebody who looked a moment before.
    """

    def __init__(self, root: Path, stale_seconds: float = 3600.0) -> None:
        """Make the directories; remove temporary files that died with their process.

        `stale_seconds` without a write means dead: another process may be writing right now, but no upload pauses for
        an hour. Raises `errors.BlobsUnavailable`.
        """
        self._root = root
        self._incoming = root / _INCOMING
        self._anchored: set[Path] = set()
        with unavailable("written"):
            self._incoming.mkdir(parents=True, exist_ok=True)
            self._remove_stale(time.time() - stale_seconds)

    def put(self, data: bytes) -> str:
        """Store durably and return the content hash. Raises `errors.BlobsUnavailable`, leaving nothing behind."""
        content_hash = hashlib.sha256(data).hexdigest()
        with unavailable("written"):
            if not self._used_again(content_hash, len(data)):
                with self._temporary() as (path, file):
                    file.write(data)
                    self._publish(path, file, content_hash)
            self._anchor(content_hash)
        return content_hash

    def get(self, content_hash: str) -> bytes:
        """The bytes. Raises `errors.ImageNotFound`, `errors.BlobsUnavailable`."""
        if not _HASH.fullmatch(content_hash):
            raise errors.ImageNotFound
        with unavailable("read"):
            try:
                return self._path(content_hash).read_bytes()
            except FileNotFoundError as err:
                raise errors.ImageNotFound from err

    def unused_since(self, before: datetime) -> Iterator[str]:
        """Content hashes last put before a moment, one directory after another. Raises `errors.BlobsUnavailable`."""
        with unavailable("read"):
            for path in self._root.glob("??/??/*"):
                if _HASH.fullmatch(path.name) and _is_unused(path, before):
                    yield path.name

    def discard(self, content_hash: str, *, unused_since: datetime) -> bool:
        """Remove the bytes unless they were put again since; whether they were removed.

        Not flushed to the disk: after a power loss the blob may be back, and is only unused.
        """
        if not _HASH.fullmatch(content_hash):
            return False
        path = self._path(content_hash)
        with unavailable("written"), self._locked(fcntl.LOCK_EX):
            if not _is_unused(path, unused_since):
                return False
            path.unlink()
            return True

    def _path(self, content_hash: str) -> Path:
        return self._root / content_hash[:2] / content_hash[2:4] / content_hash

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        """Hold the lock, alone or with others. Opened each time: threads with one descriptor would share one lock."""
        descriptor = os.open(self._root / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, how)
            yield
        finally:
            os.close(descriptor)

    def _used_again(self, content_hash: str, size: int) -> bool:
        """Stamp the blob if it is stored already. A file of another size was damaged from outside; a new put mends it.

        The stamp need not be flushed: it guards a request under way, which a loss of power would end as well.
        """
        path = self._path(content_hash)
        with self._locked(fcntl.LOCK_SH):
            try:
                if path.stat().st_size != size:
                    return False
                _stamp(path)
            except FileNotFoundError:
                return False
            return True

    @contextmanager
    def _temporary(self) -> Iterator[tuple[Path, IO[bytes]]]:
        """A new file on the blobs' own file system (a rename across two is a copy), gone afterwards unless renamed."""
        path = self._incoming / f"{uuid.uuid4().hex}.part"
        with unavailable("written"):
            file = path.open("xb")
        try:
            yield path, file
        finally:
            # Closing writes what a failed write left over, and may fail again: the first failure is the one to report.
            with suppress(OSError):
                file.close()
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def _publish(self, path: Path, file: IO[bytes], content_hash: str) -> None:
        """Flush the content, then name it. The other order could leave an empty blob with a good name."""
        file.flush()
        os.fsync(file.fileno())
        target = self._path(content_hash)
        target.parent.mkdir(parents=True, exist_ok=True)
        with self._locked(fcntl.LOCK_SH):
            _stamp(path)
            path.replace(target)

    def _anchor(self, content_hash: str) -> None:
        """Flush the directory that holds the blob's name, and once per process those that hold the directories' names.

        Also for a blob that was there already: the process that is storing the same bytes may not have come so far, and
        this call too promises that they stay. A flush takes milliseconds, hence none that is not needed.
        """
        leaf = self._path(content_hash).parent
        flush_directory(leaf)
        for directory in (leaf, leaf.parent):
            if directory not in self._anchored:
                flush_directory(directory.parent)
                self._anchored.add(directory)

    def _remove_stale(self, before: float) -> None:
        for path in self._incoming.glob("*.part"):
            with suppress(FileNotFoundError):  # another process finished or cleaned it meanwhile
                if path.stat().st_mtime < before:
                    path.unlink()


def _stamp(path: Path) -> None:
    """Say that the blob was put now, by the clock it is compared with: a file system's own may be some ms behind it."""
    now = time.time_ns()
    os.utime(path, ns=(now, now))


def _is_unused(path: Path, since: datetime) -> bool:
    """Whether there is such a file that was last stamped before."""
    try:
        return path.stat().st_mtime < since.timestamp()
    except FileNotFoundError:
        return False
