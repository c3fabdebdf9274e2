"""What is flushed survives a loss of power: then a file has every page as it was at its own last flush, or later.

No power is lost here. A copy of the index is kept as the disk has it for certain: what is flushed is copied there. Of
all that differs in the end chance takes each page from either, and a new file or none.
"""

import mmap
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest

from backend.vectors import open_shard
from backend.vectors.edge_copy import copy_shard, flush_log
from backend.vectors.edge_limits import EdgeLimits, GrowthLimits
from backend.vectors.edge_store import EdgeStore
from backend.vectors.sidecar import NAME, Sidecar, write_sidecar
from tests.unit.vectors.points import SPACE
from tests.unit.vectors.telling import Shop

SEEDS = range(3)
CHANGES = 60
LIMITS = EdgeLimits(
    flush_seconds=3600, growth=GrowthLimits(graph_points=600, fewest_changed=100, look_seconds=3600, indexed_kb=16)
)


class Disk:
    """What is on the disk of an index, all of it at first. `kept`, `lost`: pages by their fate when power was lost."""

    def __init__(self, index: Path) -> None:
        self.kept = self.lost = 0
        self._index = index
        self._certain = index.with_name("certain")
        copy_shard(index, self._certain)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Keep what is flushed meanwhile. What the engine flushes by itself is not seen."""
        fsync = os.fsync

        def noted(handle: int) -> None:
            fsync(handle)
            file = Path(f"/proc/self/fd/{handle}").readlink()
            if file.is_file() and self._index in file.parents:
                kept = self._certain / file.relative_to(self._index)
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_bytes(file.read_bytes())

        with patch.object(os, "fsync", noted):
            yield

    def lose_power(self, seed: int) -> Path:
        """What is found afterwards, were it lost now."""
        found = self._index.with_name("found")
        copy_shard(self._index, found)
        chance = random.Random(seed)
        share = chance.choice([0.1, 0.5, 0.9])
        for file in [it for it in sorted(found.rglob("*")) if it.is_file() and it.name != NAME]:
            self._mix(file, self._certain / file.relative_to(found), chance, share)
        assert self.kept > 0 < self.lost
        return found

    def _mix(self, file: Path, certain: Path, chance: random.Random, share: float) -> None:
        new, old = file.read_bytes(), certain.read_bytes() if certain.exists() else None
        if new == old:
            return
        if old is None and chance.random() < share:
            file.unlink()
            self.lost += 1
            return
        mixed = bytearray(new)
        for begin in range(0, len(new), mmap.PAGESIZE):
            page = slice(begin, begin + mmap.PAGESIZE)
            was = (old or b"")[page].ljust(len(mixed[page]), b"\0")
            if was != mixed[page]:
                lost = chance.random() < share
                mixed[page] = was if lost else mixed[page]
                self.lost, self.kept = self.lost + lost, self.kept + (not lost)
        file.write_bytes(mixed)


def everything(store: EdgeStore) -> dict[int | str, tuple[object, bytes]]:
    """All points, by their ids."""
    return {point.point_id: (point.payload, point.vector.tobytes()) for point in store.scan()}


@pytest.fixture
def shop(path: Path) -> Iterator[Shop]:
    """One with a graph and points outside of it, all of them on the disk."""
    store = EdgeStore.create(path, SPACE, LIMITS)
    shop = Shop(store)
    shop.add(700)
    assert store.grow()
    shop.add(40)
    store.close()
    shop.store = EdgeStore.open(path, LIMITS)
    yield shop
    shop.index.close()


@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_flushed_is_there_whatever_the_system_had_written_of_the_rest(
    shop: Shop, path: Path, seed: int
) -> None:
    disk = Disk(path)
    with disk.watching():
        for _ in range(CHANGES):
            shop.change()
        shop.index.flush()
    found = EdgeStore.open(disk.lose_power(seed), LIMITS)
    assert everything(found) == everything(shop.index)
    assert found.missing_points == 0
    found.close()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_shard_that_took_over_is_there_though_the_engine_was_not_told_to_flush_it(
    shop: Shop, path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Path] = []

    def log_flushed(folder: Path) -> None:
        flush_log(folder)
        monkeypatch.setattr(open_shard, "flush_log", flush_log)
        for _ in range(CHANGES):
            shop.change()  # the last time that writers need not wait

    def naming(folder: Path, sidecar: Sidecar, *, durable: bool) -> None:
        write_sidecar(folder, sidecar, durable=durable)
        if sidecar.shard not in shards and not found:
            found.append(disk.lose_power(seed))

    shop.add(200)
    shards = {folder.name for folder in path.glob("shard*")}
    disk = Disk(path)
    monkeypatch.setattr(open_shard, "flush_log", log_flushed)
    monkeypatch.setattr(open_shard, "write_sidecar", naming)
    with disk.watching():
        assert shop.index.grow()
    afterwards = EdgeStore.open(found[0], LIMITS)
    assert everything(afterwards) == everything(shop.index)
    assert afterwards.missing_points == 0
    afterwards.close()
