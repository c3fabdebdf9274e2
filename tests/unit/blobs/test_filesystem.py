"""What only a store on a disk can get wrong: half-written files, full disks, leftovers, climbing paths."""

import errno
import hashlib
import io
import os
import stat
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import pytest

from backend import errors
from backend.blobs.filesystem import FilesystemBlobs

Put = Callable[[FilesystemBlobs, bytes], str]

PUTS: list[Put] = [
    lambda blobs, data: blobs.put(data),
    lambda blobs, data: blobs.put_stream(io.BytesIO(data)),
]
either_put = pytest.mark.parametrize("put", PUTS, ids=["put", "put_stream"])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


def files_below(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


def path_of(root: Path, data: bytes) -> Path:
    name = hashlib.sha256(data).hexdigest()
    return root / name[:2] / name[2:4] / name


def failing(code: int) -> Callable[..., object]:
    def fail(*_: object, **__: object) -> object:
        raise OSError(code, os.strerror(code))

    return fail


class FullDisk(io.RawIOBase):
    """A file on a disk without space: it opens, and refuses the first byte."""

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@either_put
def test_a_blob_lies_two_directories_deep_under_its_hash_and_nothing_else_remains(root: Path, put: Put) -> None:
    put(FilesystemBlobs(root), b"data")
    assert files_below(root) == [path_of(root, b"data")]


@either_put
def test_an_existing_blob_is_not_written_again(root: Path, put: Put) -> None:
    blobs = FilesystemBlobs(root)
    put(blobs, b"data")
    before = path_of(root, b"data").stat()
    put(blobs, b"data")
    assert path_of(root, b"data").stat().st_ino == before.st_ino
    assert files_below(root) == [path_of(root, b"data")]


@either_put
def test_a_blob_damaged_to_another_size_is_mended_by_the_next_put(root: Path, put: Put) -> None:
    blobs = FilesystemBlobs(root)
    put(blobs, b"data")
    path_of(root, b"data").write_bytes(b"da")
    put(blobs, b"data")
    assert blobs.get(hashlib.sha256(b"data").hexdigest()) == b"data"


@either_put
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_failing_flush_is_reported_with_its_reason_and_leaves_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch, put: Put, code: int
) -> None:
    blobs = FilesystemBlobs(root)
    monkeypatch.setattr(os, "fsync", failing(code))
    with pytest.raises(errors.BlobsUnavailable, match=os.strerror(code)):
        put(blobs, b"data")
    assert files_below(root) == []


@either_put
def test_a_disk_that_fills_while_writing_is_reported_and_leaves_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch, put: Put
) -> None:
    blobs = FilesystemBlobs(root)
    opened = Path.open

    def on_a_full_disk(path: Path, mode: str = "r") -> IO[bytes]:
        opened(path, mode).close()
        return io.BufferedWriter(FullDisk())

    monkeypatch.setattr(Path, "open", on_a_full_disk)
    with pytest.raises(errors.BlobsUnavailable, match="No space left on device"):
        put(blobs, bytes(100_000))
    monkeypatch.undo()
    assert files_below(root) == []


@either_put
def test_a_rename_that_fails_leaves_no_half_named_blob(root: Path, monkeypatch: pytest.MonkeyPatch, put: Put) -> None:
    blobs = FilesystemBlobs(root)
    monkeypatch.setattr(Path, "replace", failing(errno.EACCES))
    with pytest.raises(errors.BlobsUnavailable, match="Permission denied"):
        put(blobs, b"data")
    assert files_below(root) == []


@either_put
def test_the_store_works_again_once_there_is_space(root: Path, monkeypatch: pytest.MonkeyPatch, put: Put) -> None:
    blobs = FilesystemBlobs(root)
    monkeypatch.setattr(os, "fsync", failing(errno.ENOSPC))
    with pytest.raises(errors.BlobsUnavailable):
        put(blobs, b"data")
    monkeypatch.undo()
    assert blobs.get(put(blobs, b"data")) == b"data"


@either_put
def test_content_is_flushed_before_it_has_a_name_and_every_directory_after(
    root: Path, monkeypatch: pytest.MonkeyPatch, put: Put
) -> None:
    blobs = FilesystemBlobs(root)
    steps: list[str] = []
    real_fsync, real_replace = os.fsync, Path.replace

    def fsync(descriptor: int) -> None:
        facts = os.fstat(descriptor)
        steps.append(f"directory {facts.st_ino}" if stat.S_ISDIR(facts.st_mode) else "content")
        real_fsync(descriptor)

    def replace(path: Path, target: Path) -> Path:
        steps.append("name")
        return real_replace(path, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    put(blobs, b"data")
    leaf = path_of(root, b"data").parent
    assert steps == ["content", "name", *(f"directory {path.stat().st_ino}" for path in (leaf, leaf.parent, root))]


def test_directories_known_to_stay_are_not_flushed_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = FilesystemBlobs(root)
    blobs.put(b"data")
    flushed: list[int] = []
    monkeypatch.setattr(os, "fsync", flushed.append)
    blobs.put(b"data")
    assert len(flushed) == 1  # the leaf, which another process may have changed


def test_a_blob_another_process_has_just_named_is_flushed_before_it_is_promised(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FilesystemBlobs(root).put(b"data")
    flushed: list[int] = []
    monkeypatch.setattr(os, "fsync", flushed.append)
    FilesystemBlobs(root).put(b"data")
    assert len(flushed) == 3  # the leaf, its parent and the root


def test_threads_storing_the_same_bytes_end_with_one_whole_blob(root: Path) -> None:
    blobs, data = FilesystemBlobs(root), bytes(300_000)
    with ThreadPoolExecutor(8) as threads:
        keys = set(threads.map(lambda turn: PUTS[turn % 2](blobs, data), range(16)))
    assert {blobs.get(key) for key in keys} == {data}
    assert files_below(root) == [path_of(root, data)]


def test_temporary_files_of_dead_processes_are_removed_and_those_in_use_kept(root: Path) -> None:
    FilesystemBlobs(root).put(b"data")
    incoming = root / "incoming"
    stale, fresh = incoming / "stale.part", incoming / "fresh.part"
    stale.write_bytes(b"half")
    fresh.write_bytes(b"half")
    two_hours_ago = time.time() - 7200
    os.utime(stale, (two_hours_ago, two_hours_ago))
    FilesystemBlobs(root)
    assert files_below(root) == sorted([fresh, path_of(root, b"data")])


@pytest.mark.parametrize("key", ["../../secret", "ab/../../secret", "/etc/passwd"])
def test_a_key_cannot_climb_out_of_the_store(root: Path, key: str) -> None:
    blobs = FilesystemBlobs(root)
    secret = root.parent / "secret"
    secret.write_bytes(b"secret")
    with pytest.raises(errors.ImageNotFound):
        blobs.get(key)
    blobs.delete(key)
    assert secret.read_bytes() == b"secret"


def test_a_root_that_cannot_be_made_is_reported_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(errors.BlobsUnavailable, match="Not a directory"):
        FilesystemBlobs(tmp_path / "file" / "blobs")


def test_a_blob_that_cannot_be_read_is_unavailable_not_missing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = FilesystemBlobs(root)
    key = blobs.put(b"data")
    monkeypatch.setattr(Path, "open", failing(errno.EACCES))
    with pytest.raises(errors.BlobsUnavailable, match="Permission denied"):
        blobs.get(key)


def test_a_blob_that_cannot_be_removed_is_reported(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = FilesystemBlobs(root)
    key = blobs.put(b"data")
    monkeypatch.setattr(Path, "unlink", failing(errno.EROFS))
    with pytest.raises(errors.BlobsUnavailable, match="Read-only file system"):
        blobs.delete(key)
