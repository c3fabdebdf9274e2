"""What is flushed, and that asking for it costs a file nothing."""

import errno
import os
from pathlib import Path

import pytest

from backend.durable import begin_to_flush, flush_path, put_in_place
from tests.unit.vectors.folders import noting_flushes


def test_a_file_and_a_folders_names_are_flushed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    with noting_flushes() as flushed:
        flush_path(tmp_path / "file")
        flush_path(tmp_path)
    assert flushed == {tmp_path / "file", tmp_path}


def test_a_draft_is_flushed_before_it_takes_another_s_name_and_the_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft, path = tmp_path / "draft", tmp_path / "file"
    draft.write_text("new", "utf-8")
    path.write_text("old", "utf-8")
    seen = []

    def noted(flushed: Path) -> None:
        seen.append((flushed, path.read_text("utf-8")))
        flush_path(flushed)

    monkeypatch.setattr("backend.durable.flush_path", noted)
    put_in_place(draft, path)
    assert seen == [(draft, "old"), (tmp_path, "new")]
    assert not draft.exists()


def test_a_draft_that_cannot_be_flushed_takes_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draft, path = tmp_path / "draft", tmp_path / "file"
    draft.write_text("new", "utf-8")
    path.write_text("old", "utf-8")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        put_in_place(draft, path)
    assert path.read_text("utf-8") == "old"


def test_a_file_that_is_begun_to_be_flushed_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(bytes(range(256)) * 1000)
    begin_to_flush(tmp_path / "file")
    monkeypatch.delattr(os, "posix_fadvise", raising=False)  # as on macOS
    begin_to_flush(tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == bytes(range(256)) * 1000


def test_nothing_stays_open(tmp_path: Path) -> None:
    before = len([*Path("/dev/fd").iterdir()])
    for _ in range(50):
        flush_path(tmp_path)
        begin_to_flush(tmp_path)
    assert len([*Path("/dev/fd").iterdir()]) <= before + 1


def test_what_is_not_there_is_the_systems_error(tmp_path: Path) -> None:
    for call in (flush_path, begin_to_flush):
        with pytest.raises(FileNotFoundError):
            call(tmp_path / "nothing")
