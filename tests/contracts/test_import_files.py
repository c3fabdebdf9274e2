"""Files of imports, on a disk, in a bucket and in memory."""

import errno
import io
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backend.blobs.import_files import FilesystemImportFiles
from backend.blobs.s3_import_files import S3ImportFiles
from backend.errors import BlobsUnavailable, ImportFileMissing
from backend.ports import ImportFiles
from tests.fakes.import_files import FakeImportFiles
from tests.s3_server import S3Server


@pytest.fixture(params=["fake", "filesystem", "s3"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> ImportFiles:
    if request.param == "s3":
        server: S3Server = request.getfixturevalue("s3")
        return S3ImportFiles(server.bucket())
    return FakeImportFiles() if request.param == "fake" else FilesystemImportFiles(tmp_path / "imports")


class TestImportFiles:
    def test_what_is_kept_is_read_back_and_can_be_sought_in(self, files: ImportFiles) -> None:
        name = files.keep(io.BytesIO(b"x" * 3_000_000 + b"end"))
        with files.open(name) as file:
            file.seek(-3, io.SEEK_END)
            assert file.read() == b"end"

    def test_the_same_content_twice_is_two_files_and_one_may_go(self, files: ImportFiles) -> None:
        first, second = files.keep(io.BytesIO(b"same")), files.keep(io.BytesIO(b"same"))
        assert first != second
        files.delete(first)
        with files.open(second) as file:
            assert file.read() == b"same"

    def test_a_file_that_comes_from_elsewhere_keeps_its_name(self, files: ImportFiles) -> None:
        files.adopt("0123456789abcdef" * 2, io.BytesIO(b"moved"))
        files.adopt("0123456789abcdef" * 2, io.BytesIO(b"moved again"))
        with files.open("0123456789abcdef" * 2) as file:
            assert file.read() == b"moved again"

    @pytest.mark.parametrize("name", ["../../etc/passwd", "", "0" * 31])
    def test_a_file_cannot_come_under_what_is_no_name(self, files: ImportFiles, name: str) -> None:
        with pytest.raises(ValueError, match="names no file"):
            files.adopt(name, io.BytesIO(b"x"))

    @pytest.mark.parametrize("name", ["0" * 32, "../../etc/passwd", "", "nothing"])
    def test_a_name_that_is_none_is_not_there_and_deleting_it_does_nothing(self, files: ImportFiles, name: str) -> None:
        files.delete(name)
        with pytest.raises(ImportFileMissing):
            files.open(name)

    def test_files_older_than_a_moment_are_named(self, files: ImportFiles) -> None:
        kept, gone = files.keep(io.BytesIO(b"kept")), files.keep(io.BytesIO(b"gone"))
        files.delete(gone)
        now = datetime.now(UTC)
        assert list(files.names_before(now - timedelta(hours=1))) == []
        assert list(files.names_before(now + timedelta(hours=1))) == [kept]


def test_only_whole_files_are_named_and_by_their_age(tmp_path: Path) -> None:
    files = FilesystemImportFiles(tmp_path)
    old, fresh = files.keep(io.BytesIO(b"old")), files.keep(io.BytesIO(b"fresh"))
    (tmp_path / f"{'a' * 32}.part").write_bytes(b"half")
    (tmp_path / "notes").write_bytes(b"not ours")
    for path in tmp_path.iterdir():
        if path.name != fresh:
            os.utime(path, (time.time() - 7_200,) * 2)
    assert list(files.names_before(datetime.now(UTC) - timedelta(hours=1))) == [old]


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = FilesystemImportFiles(tmp_path / "imports")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BlobsUnavailable, match="No space left"):
        files.keep(io.BytesIO(b"x"))
    assert list((tmp_path / "imports").iterdir()) == []


def test_parts_of_dead_processes_go_and_fresh_ones_stay(tmp_path: Path) -> None:
    FilesystemImportFiles(tmp_path)
    old, fresh = tmp_path / "a.part", tmp_path / "b.part"
    for path in (old, fresh):
        path.write_bytes(b"x")
    os.utime(old, (time.time() - 7_200,) * 2)
    FilesystemImportFiles(tmp_path)
    assert (old.exists(), fresh.exists()) == (False, True)
