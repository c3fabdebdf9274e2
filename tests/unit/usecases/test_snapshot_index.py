"""A copy of the index that nobody fetches does not keep the disk full."""

import os
from pathlib import Path

import pytest

from backend.errors import IndexUnavailable
from backend.settings import Settings
from tests.house import House


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(Settings(data_dir=tmp_path))


def laid(house: House) -> list[str]:
    return [path.name for path in house.settings.snapshots.glob("*")]


def test_a_copy_that_fills_the_disk_is_removed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "vectors").write_bytes(b"as much as there was room for")
        raise IndexUnavailable("No space left on device")

    monkeypatch.setattr(house.vectors, "snapshot", full)
    with pytest.raises(IndexUnavailable, match="No space"):
        house.services.snapshot_index()
    assert laid(house) == []


def test_a_copy_whose_backup_was_ended_goes_with_the_purge_an_hour_later(house: House) -> None:
    name = house.services.snapshot_index().name
    now = house.clock().timestamp()
    os.utime(house.settings.snapshots / name, (now, now))
    house.clock.advance(3_599)
    house.services.purge()
    assert laid(house) == [name]
    house.clock.advance(2)
    house.services.purge()
    assert laid(house) == []


def test_the_purge_needs_no_copy(house: House) -> None:
    assert not house.settings.snapshots.exists()
    assert house.services.snapshot_index.forget(house.clock()) == 0
