"""What the engine has mapped of its shard stays in memory: all of it but log and holes, or nothing."""

import logging
import mmap
import os
import resource
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.vectors import edge_memory
from backend.vectors.edge_copy import LOG
from backend.vectors.edge_limits import EdgeLimits, GrowthLimits
from backend.vectors.edge_memory import HeldMemory, lockable_bytes, machine_bytes, mapped_data
from backend.vectors.edge_store import EdgeStore
from tests.unit.vectors.points import SPACE
from tests.unit.vectors.telling import Shop, until

NEEDED_BYTES = 64 << 20

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="memory is locked on Linux alone"),
    pytest.mark.skipif(
        sys.platform == "linux" and lockable_bytes() < NEEDED_BYTES, reason="`ulimit -l` is below 64 MB here"
    ),
]
SEEN_TO = EdgeLimits(held_seconds=0.05)
NOT_SEEN_TO = EdgeLimits(held_seconds=3600)


def locked(folder: Path) -> dict[str, int]:
    """File -> bytes of it that are in memory and locked there, by what the kernel says of each mapping (proc(5))."""
    found, name, there = Counter[str](), "", 0
    for line in Path("/proc/self/smaps").read_text().splitlines():
        first, *rest = line.split(maxsplit=5)
        if "-" in first:
            name = rest[-1]
        elif first == "Rss:":
            there = int(rest[0]) * 1024
        elif first == "VmFlags:" and "lo" in line.split() and name.startswith(f"{folder.resolve()}{os.sep}"):
            found[name] += there
    return found


def opened(path: Path, limits: EdgeLimits, products: int = 300) -> tuple[EdgeStore, Shop]:
    store = EdgeStore.create(path, SPACE, limits)
    shop = Shop(store)
    shop.add(products)
    return store, shop


@pytest.fixture
def store(path: Path) -> Iterator[EdgeStore]:
    made, _ = opened(path, NOT_SEEN_TO)
    yield made
    made.close()


def test_what_the_engine_has_mapped_is_held_but_for_its_log_and_holes(store: EdgeStore) -> None:
    shard = store._shard
    spans = list(mapped_data(shard.folder))
    assert not locked(shard.folder)
    held = HeldMemory(shard).hold()
    found = locked(shard.folder)
    assert sum(found.values()) == held == sum(span.size for span in spans)
    assert any("payload_storage" in name for name in found)
    assert any("vector_storage" in name for name in found)
    assert not any(f"{os.sep}{LOG}{os.sep}" in name for name in found)
    sizes = {name: Path(name).stat() for name in found}
    assert all(found[name] <= of.st_blocks * 512 + mmap.PAGESIZE for name, of in sizes.items())
    assert any(of.st_size > of.st_blocks * 512 for of in sizes.values())  # or no file had a hole


def test_a_file_is_held_once_however_often_it_is_mapped(store: EdgeStore) -> None:
    spans = list(mapped_data(store._shard.folder))
    names = [line.split(maxsplit=5)[-1] for line in Path("/proc/self/maps").read_text().splitlines()]
    twice = [name for name, times in Counter(names).items() if times > 1 and str(store._shard.folder) in name]
    assert twice
    assert len({span.start for span in spans}) == len(spans)
    HeldMemory(store._shard).hold()
    held = locked(store._shard.folder)
    assert all(held.get(name, 0) <= Path(name).stat().st_size for name in twice)


def test_what_was_written_since_is_held_as_well(path: Path) -> None:
    store, shop = opened(path, SEEN_TO)
    try:
        until(lambda: bool(locked(path)))
        before = sum(locked(path).values())
        shop.add(4_000)
        until(lambda: sum(locked(path).values()) > before + 1_000_000)
    finally:
        store.close()
    assert not locked(path)


def test_the_shard_that_takes_over_is_held(path: Path) -> None:
    growth = GrowthLimits(graph_points=600, look_seconds=3600, indexed_kb=16)
    store, _ = opened(path, EdgeLimits(held_seconds=0.05, growth=growth), 800)
    try:
        assert store.grow()
        until(lambda: bool(locked(store._shard.folder)))
        assert all(str(store._shard.folder) in name for name in locked(path))
    finally:
        store.close()


def test_an_index_larger_than_its_share_is_left_to_the_system(
    store: EdgeStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    memory = HeldMemory(store._shard)
    held = memory.hold()
    monkeypatch.setattr(edge_memory, "machine_bytes", lambda: 4 * (held - 1))
    assert memory.hold() == memory.hold() == 0
    assert not locked(store._shard.folder)  # what was held is let go
    assert len([it for it in caplog.messages if "its share of the machine's memory is" in it]) == 1
    monkeypatch.undo()
    assert memory.hold() == sum(locked(store._shard.folder).values()) == held


def test_where_the_system_forbids_it_nothing_is_held_and_that_is_said(
    store: EdgeStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(edge_memory, "_privileged", lambda: False)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1 << 20, 1 << 20))
    assert HeldMemory(store._shard).hold() == 0
    assert not locked(store._shard.folder)
    assert "the process may lock 1 MB (`ulimit -l`)" in caplog.text


@pytest.mark.parametrize("why", ["no share", "another system"])
def test_where_nothing_is_to_be_held_nobody_looks(path: Path, monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    if why == "another system":
        monkeypatch.setattr(sys, "platform", "darwin")
    store = EdgeStore.create(path, SPACE, EdgeLimits(held_share=0.0 if why == "no share" else 0.1))
    try:
        assert store._memory._thread.ident is None
    finally:
        store.close()


def test_a_containers_limit_is_what_a_share_is_of(monkeypatch: pytest.MonkeyPatch) -> None:
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for said, expected in {"1073741824\n": 1 << 30, "max\n": physical, str(physical * 2): physical}.items():
        monkeypatch.setattr(Path, "read_text", lambda *_, said=said: said)
        assert machine_bytes() == expected


def test_a_share_is_of_the_machines_memory() -> None:
    assert 0 < machine_bytes() <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
