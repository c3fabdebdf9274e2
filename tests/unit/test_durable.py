"""What is flushed, and that asking for it costs a file nothing."""

import os
from pathlib import Path

import pytest

from backend.durable import begin_to_flush, flush_path
from tests.unit.vectors.folders import noting_flushes


def test_a_file_and_a_folders_names_are_flushed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    with noting_flushes() as flushed:
        flush_path(tmp_path / "file")
        flush_path(tmp_path)
    assert flushed == {tmp_path / "file", tmp_path}


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
