"""A shard's files are copied with their holes, also to another file system."""

import errno
import os
import random
from pathlib import Path

import pytest

from backend.vectors.edge_copy import allocated_bytes, copy_shard, flush_folder
from tests.unit.vectors.folders import folder_in_memory, noting_flushes

HOLE = 32 << 20


def made(folder: Path) -> dict[str, bytes]:
    """Files as the engine makes them: long, and filled here and there."""
    (folder / "segments").mkdir(parents=True)
    draw = random.Random(1)
    for name, places in {"wal": (0, HOLE - 70_000), "segments/vectors": (5_000_000,), "empty": ()}.items():
        with (folder / name).open("wb") as file:
            file.truncate(HOLE)
            for place in places:
                file.seek(place)
                file.write(draw.randbytes(2_500_000 if place else 70_000)[: HOLE - place])
    return contents(folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_copy_is_the_same_and_takes_no_more_room(tmp_path: Path) -> None:
    before = made(tmp_path / "here")
    copy_shard(tmp_path / "here", tmp_path / "there")
    assert contents(tmp_path / "there") == before
    assert allocated_bytes(tmp_path / "there") < 8 << 20


def test_a_copy_on_another_file_system_is_the_same_and_takes_no_more_room(tmp_path: Path) -> None:
    with folder_in_memory(tmp_path / "memory") as memory:
        before = made(memory / "here")
        copy_shard(memory / "here", tmp_path / "there")
    assert contents(tmp_path / "there") == before
    assert allocated_bytes(tmp_path / "there") < 8 << 20


def test_a_disk_that_refuses_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path / "here")

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "copy_file_range", full)
    with pytest.raises(OSError, match="No space"):
        copy_shard(tmp_path / "here", tmp_path / "there")


def test_a_flushed_folder_is_on_the_disk_with_its_files_its_folders_and_its_name(tmp_path: Path) -> None:
    made(tmp_path / "here")
    with noting_flushes() as flushed:
        flush_folder(tmp_path / "here")
    assert flushed == {tmp_path, tmp_path / "here", *(tmp_path / "here").rglob("*")}
