"""What only a store on a disk can get wrong: half-written files, full disks, leftovers, climbing paths."""

import errno
import hashlib
import io
import itertools
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

import pytest

from backend import errors
from backend.blobs.filesystem import FilesystemBlobs
from tests.unit.vectors.folders import folder_in_memory

LATER = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


def files_below(root: Path) -> list[Path]:
    """The files there are, without the lock's, which is always there."""
    return sorted(path for path in root.rglob("*") if path.is_file() and path != root / "lock")


def path_of(root: Path, data: bytes) -> Path:
    name = hashlib.sha256(data).hexdigest()
    return root / name[:2] / name


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


def test_a_blob_lies_two_directories_deep_under_its_hash_and_nothing_else_remains(root: Path) -> None:
    FilesystemBlobs(root).put(b"data")
    assert files_below(root) == [path_of(root, b"data")]


def test_an_existing_blob_is_not_written_again(root: Path) -> None:
    blobs = FilesystemBlobs(root)
    blobs.put(b"data")
    before = path_of(root, b"data").stat()
    blobs.put(b"data")
    assert path_of(root, b"data").stat().st_ino == before.st_ino
    assert files_below(root) == [path_of(root, b"data")]


def test_a_blob_damaged_to_another_size_is_mended_by_the_next_put(root: Path) -> None:
    blobs = FilesystemBlobs(root)
    blobs.put(b"data")
    path_of(root, b"data").write_bytes(b"da")
    blobs.put(b"data")
    assert blobs.get(hashlib.sha256(b"data").hexdigest()) == b"data"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_failing_flush_is_reported_with_its_reason_and_leaves_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    blobs = FilesystemBlobs(root)
    monkeypatch.setattr(os, "fsync", failing(code))
    with pytest.raises(errors.BlobsUnavailable, match=os.strerror(code)):
        blobs.put(b"data")
    assert files_below(root) == []


def test_a_disk_that_fills_while_writing_is_reported_and_leaves_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = FilesystemBlobs(root)
    opened = Path.open

    def on_a_full_disk(path: Path, mode: str = "r") -> IO[bytes]:
        opened(path, mode).close()
        return io.BufferedWriter(FullDisk())

    monkeypatch.setattr(Path, "open", on_a_full_disk)
    with pytest.raises(errors.BlobsUnavailable, match="No space left on device"):
        blobs.put(bytes(100_000))
    monkeypatch.undo()
    assert files_below(root) == []


def test_a_rename_that_fails_leaves_no_half_named_blob(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = FilesystemBlobs(root)
    monkeypatch.setattr(Path, "replace", failing(errno.EACCES))
    with pytest.raises(errors.BlobsUnavailable, match="Permission denied"):
        blobs.put(b"data")
    assert files_below(root) == []


def test_the_store_works_again_once_there_is_space(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = FilesystemBlobs(root)
    monkeypatch.setattr(os, "fsync", failing(errno.ENOSPC))
    with pytest.raises(errors.BlobsUnavailable):
        blobs.put(b"data")
    monkeypatch.undo()
    assert blobs.get(blobs.put(b"data")) == b"data"


def recorded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is flushed and named from now on, in order; directories by their number."""
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
    return steps


def test_content_is_flushed_before_it_has_a_name_and_every_directory_after(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = FilesystemBlobs(root)
    steps = recorded(monkeypatch)
    blobs.put(b"data")
    directories = (path_of(root, b"data").parent, root)
    assert steps == ["content", "name", *(f"directory {path.stat().st_ino}" for path in directories)]


def put_together(blobs: FilesystemBlobs, number: int, last: Callable[[], object] = bool) -> None:
    with blobs.together() as puts:
        for each in range(number):
            puts.put(bytes([each]))
        last()


def test_of_many_all_contents_are_flushed_before_any_has_a_name(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = FilesystemBlobs(root)
    steps = recorded(monkeypatch)
    put_together(blobs, 5, lambda: steps.append("end"))
    assert steps.pop(0) == "end"
    assert [step for step, _ in itertools.groupby(it.split()[0] for it in steps)] == ["content", "name", "directory"]
    assert (steps.count("content"), steps.count("name")) == (5, 5)


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="this system takes no advice on files")
def test_of_many_all_are_being_written_before_the_first_is_waited_for(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = FilesystemBlobs(root)
    steps = recorded(monkeypatch)
    real_advise = os.posix_fadvise

    def advise(descriptor: int, offset: int, length: int, advice: int) -> None:
        real_advise(descriptor, offset, length, advice)
        steps.append("begun")

    monkeypatch.setattr(os, "posix_fadvise", advise)
    put_together(blobs, 5)
    assert steps[:10] == 5 * ["begun"] + 5 * ["content"]
    steps.clear()
    blobs.put(b"alone")
    assert "begun" not in steps


@pytest.mark.parametrize("failing_flush", [1, 3, 6, 9])
def test_of_many_that_cannot_be_flushed_nothing_is_left_without_a_name(
    root: Path, monkeypatch: pytest.MonkeyPatch, failing_flush: int
) -> None:
    blobs = FilesystemBlobs(root)
    real_fsync, flushed = os.fsync, itertools.count(1)

    def fsync(descriptor: int) -> None:
        if next(flushed) == failing_flush:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real_fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(errors.BlobsUnavailable, match=os.strerror(errno.EIO)):
        put_together(blobs, 5)
    monkeypatch.undo()
    named = {path_of(root, bytes([number])) for number in range(5)}
    left = set(files_below(root))
    assert left <= named
    assert bool(left) == (failing_flush > 5)  # contents come first, then the names' directories
    for number in range(5):
        assert blobs.get(blobs.put(bytes([number]))) == bytes([number])


def test_directories_known_to_stay_are_not_flushed_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = FilesystemBlobs(root)
    blobs.put(b"data")
    flushed: list[int] = []
    monkeypatch.setattr(os, "fsync", flushed.append)
    blobs.put(b"data")
    assert len(flushed) == 1  # the blob's, which another process may have changed


def test_a_blob_another_process_has_just_named_is_flushed_before_it_is_promised(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FilesystemBlobs(root).put(b"data")
    flushed: list[int] = []
    monkeypatch.setattr(os, "fsync", flushed.append)
    FilesystemBlobs(root).put(b"data")
    assert len(flushed) == 2  # its directory and the root


def test_blobs_that_lie_as_they_once_did_are_refused_with_the_command_that_moves_them(tmp_path: Path) -> None:
    root, contents = tmp_path / "the shop's pictures", [bytes([number]) for number in range(40)]
    for data in contents:
        name = hashlib.sha256(data).hexdigest()
        (root / name[:2] / name[2:4]).mkdir(parents=True)
        (root / name[:2] / name[2:4] / name).write_bytes(data)
    with pytest.raises(errors.Misconfigured, match=r"as before 0\.1\.0") as refusal:
        FilesystemBlobs(root)
    subprocess.run(["sh", "-ec", str(refusal.value.detail).partition("moved by: ")[2]], check=True)
    blobs = FilesystemBlobs(root)
    assert [blobs.get(hashlib.sha256(data).hexdigest()) for data in contents] == contents
    assert files_below(root) == sorted(path_of(root, data) for data in contents)


def test_threads_storing_the_same_bytes_end_with_one_whole_blob(root: Path) -> None:
    blobs, data = FilesystemBlobs(root), bytes(300_000)
    with ThreadPoolExecutor(8) as threads:
        keys = set(threads.map(lambda _: blobs.put(data), range(16)))
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
    assert blobs.discard(key, unused_since=LATER) is False
    assert secret.read_bytes() == b"secret"


def test_a_root_that_cannot_be_made_is_reported_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(errors.BlobsUnavailable, match="Not a directory"):
        FilesystemBlobs(tmp_path / "file" / "blobs")


def test_a_blob_that_cannot_be_read_is_unavailable_not_missing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = FilesystemBlobs(root)
    key = blobs.put(b"data")
    monkeypatch.setattr(Path, "read_bytes", failing(errno.EACCES))
    with pytest.raises(errors.BlobsUnavailable, match="Permission denied"):
        blobs.get(key)


def test_a_blob_that_cannot_be_removed_is_reported(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = FilesystemBlobs(root)
    key = blobs.put(b"data")
    monkeypatch.setattr(Path, "unlink", failing(errno.EROFS))
    with pytest.raises(errors.BlobsUnavailable, match="Read-only file system"):
        blobs.discard(key, unused_since=LATER)


# --- discarding beside putting ----------------------------------------------------------------------------------------


def age(path: Path) -> None:
    """As if the blob had been put a day ago."""
    yesterday = time.time() - 86_400
    os.utime(path, (yesterday, yesterday))


def an_hour_ago() -> datetime:
    return datetime.now(UTC) - timedelta(hours=1)


def test_an_old_blob_is_unused_until_it_is_put_again(root: Path) -> None:
    blobs = FilesystemBlobs(root)
    key = blobs.put(b"data")
    age(path_of(root, b"data"))
    assert list(blobs.unused_since(an_hour_ago())) == [key]
    blobs.put(b"data")
    assert list(blobs.unused_since(an_hour_ago())) == []


def test_what_is_no_blob_is_neither_named_nor_removed(root: Path) -> None:
    blobs = FilesystemBlobs(root)
    key = blobs.put(b"data")
    beside = path_of(root, b"data").with_name("notes.txt")
    for path in (beside, root / "notes.txt", root / "incoming" / "x.part"):
        path.write_bytes(b"not ours")
    assert list(blobs.unused_since(LATER)) == [key]


@pytest.mark.parametrize("looked_before", [False, True])
def test_a_blob_put_while_it_is_about_to_be_removed_is_there_afterwards(
    root: Path, monkeypatch: pytest.MonkeyPatch, looked_before: bool
) -> None:
    blobs = FilesystemBlobs(root)
    key = blobs.put(b"data")
    age(path_of(root, b"data"))
    if looked_before:  # and found no whole blob, which another upload has put since
        monkeypatch.setattr(FilesystemBlobs, "_used_again", lambda *_: False)
    unlink, put = Path.unlink, threading.Thread(target=lambda: FilesystemBlobs(root).put(b"data"))

    def at_the_last_moment(path: Path, missing_ok: bool = False) -> None:
        if path.name == key and not put.ident:
            put.start()
            put.join(timeout=0.3)  # it waits for the lock; were there none, it would be done by now
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", at_the_last_moment)
    assert blobs.discard(key, unused_since=an_hour_ago()) is True
    put.join()
    assert blobs.get(key) == b"data"


DISCARDING = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from backend.blobs.filesystem import FilesystemBlobs
blobs, removed = FilesystemBlobs(Path(sys.argv[1])), 0
print("started", flush=True)
while not Path(sys.argv[1]).with_name("stop").exists():
    since = datetime.now(UTC) - timedelta(hours=1)
    removed += sum(blobs.discard(key, unused_since=since) for key in sys.argv[2:])
print(removed)
"""


def test_what_was_put_is_never_gone_while_threads_and_another_process_discard(tmp_path: Path) -> None:
    with folder_in_memory(tmp_path) as folder:
        root, contents = folder / "blobs", [b"one", b"two", b"three"]
        blobs = FilesystemBlobs(root)
        keys = [blobs.put(data) for data in contents]
        other = subprocess.Popen(
            [sys.executable, "-c", DISCARDING, str(root), *keys],
            cwd=Path(__file__).parents[3], stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert other.stdout is not None
        assert other.stdout.readline() == "started\n"

        def uploads(data: bytes) -> int:
            found = 0
            for _ in range(300):
                with suppress(FileNotFoundError):
                    age(path_of(root, data))
                found += blobs.get(blobs.put(data)) == data
            return found

        def discards(key: str) -> int:
            return sum(blobs.discard(key, unused_since=an_hour_ago()) for _ in range(300))

        try:
            with ThreadPoolExecutor(6) as threads:
                found, removed = threads.map(uploads, contents), threads.map(discards, keys)
                assert list(found) == [300] * 3
        finally:
            (folder / "stop").touch()
            said, _ = other.communicate(timeout=30)
        assert sum(removed) + int(said) > 0
