"""An index's files stay in memory: all of them but log and holes, or nothing; and the engine notices nothing."""

import logging
import mmap
import os
import resource
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from backend.vectors import edge_memory
from backend.vectors.edge_copy import LOG
from backend.vectors.edge_limits import EdgeLimits, GrowthLimits
from backend.vectors.edge_memory import HeldMemory, lockable_bytes, machine_bytes
from backend.vectors.edge_store import EdgeStore
from backend.vectors.open_shard import OpenShard
from tests.unit.vectors.points import SPACE
from tests.unit.vectors.telling import Shop, until

LIBC = edge_memory._libc
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
    """File -> bytes of it that are in memory and locked there."""
    found = Counter[str]()
    for _, name, there, flags in _mappings(folder):
        if "lo" in flags:
            found[name] += there
    return found


def mappings(folder: Path) -> set[tuple[str, str]]:
    """Address and file of what is mapped of a folder and not locked."""
    return {(address, name) for address, name, _, flags in _mappings(folder) if "lo" not in flags}


def _mappings(folder: Path) -> Iterator[tuple[str, str, int, list[str]]]:
    """What the kernel says of each mapping (proc(5), smaps): address, file, bytes in memory, flags."""
    address, name, there = "", "", 0
    for line in Path("/proc/self/smaps").read_text().splitlines():
        first, *rest = line.split(maxsplit=5)
        if "-" in first:
            address, name = first, rest[-1]
        elif first == "Rss:":
            there = int(rest[0]) * 1024
        elif first == "VmFlags:" and name.startswith(f"{folder.resolve()}{os.sep}"):
            yield address, name, there, line.split()


@contextmanager
def holding(shard: OpenShard) -> Iterator[HeldMemory]:
    memory = HeldMemory(shard)
    try:
        yield memory
    finally:
        memory.release()


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


def test_an_indexs_files_are_held_but_for_log_and_holes(store: EdgeStore) -> None:
    shard = store._shard
    assert not locked(shard.folder)
    with holding(shard) as memory:
        held = memory.hold()
        found = locked(shard.folder)
        sizes = {name: Path(name).stat() for name in found}
    files = [path for path in shard.folder.rglob("*") if path.is_file() and path.stat().st_blocks]
    assert {Path(name) for name in found} == {path for path in files if shard.folder / LOG not in path.parents}
    assert sum(found.values()) >= held > 0
    assert all(found[name] <= of.st_blocks * 512 + mmap.PAGESIZE for name, of in sizes.items())
    assert any(of.st_size > of.st_blocks * 512 for of in sizes.values())  # or no file had a hole
    assert not locked(shard.folder)


def test_what_the_engine_has_mapped_itself_is_left_as_it_is(store: EdgeStore) -> None:
    before = mappings(store._shard.folder)
    assert before
    with holding(store._shard) as memory:
        memory.hold()
        assert mappings(store._shard.folder) >= before  # neither locked nor cut in pieces, which mremap would refuse


@pytest.mark.slow
def test_the_engine_may_make_its_files_longer_while_they_are_held(path: Path) -> None:
    store, shop = opened(path, NOT_SEEN_TO)
    try:
        with holding(store._shard) as memory:
            for _ in range(70):  # at 65,536 points the engine makes a mapping longer
                shop.add(1_000)
                memory.hold()
        assert store.count() == 70_300
    finally:
        store.close()


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
        until(lambda: all(str(store._shard.folder) in name for name in locked(path)))  # the former is let go of then
    finally:
        store.close()


def test_an_index_larger_than_its_share_is_left_to_the_system(
    store: EdgeStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with holding(store._shard) as memory:
        held = memory.hold()
        monkeypatch.setattr(edge_memory, "machine_bytes", lambda: 4 * (held - 1))
        assert memory.hold() == 0
        monkeypatch.setattr(edge_memory, "machine_bytes", lambda: held)
        assert memory.hold() == 0
        assert not locked(store._shard.folder)  # what was held is let go
        assert len([it for it in caplog.messages if "its share of the machine's memory is" in it]) == 1
        monkeypatch.undo()
        assert memory.hold() == held
        assert locked(store._shard.folder)


def test_where_the_system_forbids_it_nothing_is_held_and_that_is_said(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(edge_memory, "_privileged", lambda: False)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1 << 20, 1 << 20))
    store, _ = opened(path, NOT_SEEN_TO, 2_000)  # more than 1 MB, on a disk as well, where holes take nothing
    try:
        with holding(store._shard) as memory:
            assert memory.hold() == 0
            assert not locked(store._shard.folder)
    finally:
        store.close()
    assert "the process may lock 1 MB (`ulimit -l`)" in caplog.text


def test_what_the_system_refuses_in_spite_of_its_word_is_said_once(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    tries = []

    class Refusing:
        def __getattr__(self, name: str) -> Any:
            return getattr(LIBC(), name)

        def mlock(self, *_: int) -> int:
            tries.append(1)
            return -1

    monkeypatch.setattr(edge_memory, "_libc", Refusing)
    store, _ = opened(path, SEEN_TO)
    try:
        until(lambda: len(tries) > 2)
    finally:
        store.close()
    assert len([it for it in caplog.messages if "the system does not lock it after all" in it]) == 1


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
