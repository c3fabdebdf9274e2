"""A shard built anew beside the one that serves: when, and that nothing is lost by it, whoever is killed."""

import logging
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from backend.domain.filters import Filter
from backend.errors import IndexUnavailable
from backend.vectors import open_shard
from backend.vectors.edge_build import Plan
from backend.vectors.edge_growth import build_wanted, can_catch_up
from backend.vectors.edge_limits import EdgeLimits, GrowthLimits
from backend.vectors.edge_shard import load_shard
from backend.vectors.edge_store import EdgeStore
from backend.vectors.journal import Engine, Journal
from backend.vectors.sidecar import Sidecar, read_sidecar, write_sidecar
from tests.unit.vectors.folders import noting_flushes
from tests.unit.vectors.points import DIMENSION, SPACE, clustered
from tests.unit.vectors.telling import Nobody, Shop, until

ROOT = Path(__file__).parents[3]
FEW = GrowthLimits(graph_points=600, fewest_changed=100, look_seconds=0.05, retry_seconds=3600, indexed_kb=16)
LIMITS = EdgeLimits(growth=FEW)


# --- when -------------------------------------------------------------------------------------------------------------

LARGE = EdgeLimits()


@pytest.mark.parametrize(
    ("points", "changed", "idle_seconds", "graph", "wanted"),
    [
        (99_999, 0, 0, False, False),
        (100_000, 0, 0, False, True),  # it is time for a graph
        (100_000, 0, 0, True, False),
        (100_000, 19_999, 0, True, False),
        (100_000, 20_000, 0, True, True),  # a fifth
        (1_000_000, 50_000, 0, True, True),  # or so many
        (100_000, 5_000, 599, True, False),
        (100_000, 5_000, 600, True, True),  # a quarter of a fifth, when nobody writes
        (5_000, 4_999, 600, True, False),  # the engine would leave so few as they are
        (50_000, 50_000, 600, False, False),  # optimized when it is opened
        (50_001, 20_000, 0, False, True),
        (90_000, 17_000, 0, False, False),
    ],
)
def test_a_shard_is_built_anew_when_enough_has_changed(
    points: int, changed: int, idle_seconds: float, graph: bool, wanted: bool
) -> None:
    assert build_wanted(points, changed, idle_seconds, LARGE, graph=graph) is wanted


def test_no_graph_is_built_where_none_is_wanted() -> None:
    never = EdgeLimits(growth=GrowthLimits(graph_points=0))
    assert not build_wanted(10**7, 0, 0, never, graph=False)
    assert build_wanted(10**7, 10**7, 0, never, graph=False)


def test_a_build_waits_while_so_much_is_written_that_it_would_be_given_up() -> None:
    assert can_catch_up(100_000, 30 * 250, 30.0, LARGE)
    assert not can_catch_up(100_000, 30 * 350, 30.0, LARGE)
    assert not can_catch_up(300_000, 30 * 120, 30.0, LARGE)
    assert can_catch_up(300_000, 0, 30.0, LARGE)
    assert can_catch_up(100_000, 250, 0.0, LARGE)  # no rate can be told of a moment


# --- that nothing is lost ---------------------------------------------------------------------------------------------


def described(path: Path) -> Sidecar:
    """What stands beside the index."""
    sidecar = read_sidecar(path)
    assert sidecar is not None
    return sidecar


def shards(path: Path) -> list[str]:
    """The folders of shards."""
    return sorted(entry.name for entry in path.glob("shard*"))


@pytest.fixture
def grown(path: Path) -> Iterator[Shop]:
    """A shop with a graph, made of 700 products."""
    store = EdgeStore.create(path, SPACE, LIMITS)
    shop = Shop(store)
    shop.add(700)
    until(lambda: described(path).graph)
    yield shop
    store.close()


def with_journal(path: Path, points: int) -> EdgeStore:
    """An index that nobody looks after, whose builds may catch up with so many points."""
    return EdgeStore.create(path, SPACE, EdgeLimits(growth=replace(FEW, look_seconds=3600, journal_points=points)))


def test_a_build_waits_while_much_is_written(path: Path) -> None:
    store = with_journal(path, 100)
    Shop(store).add(700)  # 700 in this second, and a build is expected to take 0.7
    assert not store.grow()
    assert store.grow()  # nothing since
    store.close()


def test_a_build_does_not_wait_for_what_was_written_before_the_last_look(path: Path) -> None:
    store = with_journal(path, 150)
    shop = Shop(store)
    shop.add(500)
    assert not store.grow()  # too small for a graph
    shop.add(200)  # which is 140 while a build is expected to take 0.7
    assert store.grow()
    store.close()


def test_beyond_a_size_another_shard_with_a_graph_takes_the_place_of_the_first(grown: Shop, path: Path) -> None:
    until(lambda: shards(path) == [described(path).shard])
    assert described(path).shard != "shard"
    assert grown.agrees()
    grown.index.close()
    grown.store = again = EdgeStore.open(path, LIMITS)
    assert (again.missing_points, again.unsure_since) == (0, None)
    assert grown.agrees()
    again.close()
    engine = load_shard(path / described(path).shard)
    assert engine.info().indexed_vectors_count == 700
    assert engine.info().segments_count == 3  # two parts, and what is written to
    engine.close()


def test_what_is_written_and_read_meanwhile_is_not_lost_and_never_fails(path: Path) -> None:
    store = EdgeStore.create(path, SPACE, LIMITS)
    shop, done = Shop(store), threading.Event()
    shop.add(700)
    failures: list[BaseException] = []
    answers: list[int] = []

    def read() -> None:
        query = clustered(9, 1, DIMENSION)[0]
        try:
            while not done.is_set():
                answers.append(len(store.nearest("shop", query, Filter(), limit=10)))
                time.sleep(0.005)  # or the writer would hardly get a turn
        except BaseException as err:
            failures.append(err)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    seen: set[str] = set()
    while len(seen) < 3:  # built twice while it changes: enough is written to order the next one
        assert not failures
        shop.change()
        seen.add(described(path).shard)
        time.sleep(0.002)
    done.set()
    for reader in readers:
        reader.join()
    assert not failures
    assert set(answers) <= {8, 9, 10}  # what is buried between being found and being read is left out
    assert shop.agrees()
    store.close()
    shop.store = again = EdgeStore.open(path, LIMITS)
    assert again.missing_points == 0
    assert shop.agrees()
    again.close()


def test_what_changes_outside_the_graph_is_counted_over_restarts_and_orders_the_next_build(
    grown: Shop, path: Path
) -> None:
    for _ in range(60):
        grown.change()
    grown.index.close()
    first = described(path)
    assert 60 <= first.changed < 140
    again = EdgeStore.open(path, LIMITS)
    grown.store = again
    grown.add(100)
    until(lambda: described(path).shard != first.shard)
    assert grown.agrees()
    assert described(path).changed == 0
    again.close()


def test_a_large_flat_shard_is_compacted_without_a_graph(path: Path) -> None:
    flat = EdgeLimits(optimize_points=300, growth=replace(FEW, graph_points=0))
    store = EdgeStore.create(path, SPACE, flat)
    shop = Shop(store)
    shop.add(700)
    until(lambda: described(path).shard != "shard")
    assert not described(path).graph
    assert shop.agrees()
    store.close()


def grow_a_graph(path: Path) -> None:
    """An index from its first product to its first shard with a graph, closed then."""
    store = EdgeStore.create(path, SPACE, LIMITS)
    Shop(store).add(700)
    until(lambda: described(path).graph)
    store.close()


def test_all_of_the_next_shard_is_on_the_disk_before_the_description_names_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine flushes what it changed itself, and the copy's other files stand in memory only."""
    named: list[set[Path]] = []

    def naming(folder: Path, sidecar: Sidecar, *, durable: bool) -> None:
        new = folder / sidecar.shard
        if sidecar.shard != "shard" and not named:
            named.append({new, *new.rglob("*")} - flushed)
        write_sidecar(folder, sidecar, durable=durable)

    monkeypatch.setattr(open_shard, "write_sidecar", naming)
    with noting_flushes() as flushed:
        grow_a_graph(path)
    assert named == [set()]


def test_while_a_shard_is_built_and_takes_over_the_engine_is_not_told_to_flush(
    path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would hold Python's lock while it waits for a disk that has much to write."""
    meanwhile: list[str] = []

    def written_meanwhile(journal: Journal, engine: Engine) -> None:
        if not journal.points:
            told.clear()  # the copy was flushed
            shop.add(100)
            until(lambda: described(path).points == 800)  # its log was
        catch_up(journal, engine)

    def naming(folder: Path, sidecar: Sidecar, *, durable: bool) -> None:
        if sidecar.shard != "shard" and not meanwhile:
            meanwhile.extend(told)
        write_sidecar(folder, sidecar, durable=durable)

    catch_up = Journal.catch_up
    monkeypatch.setattr(open_shard, "write_sidecar", naming)
    monkeypatch.setattr(Journal, "catch_up", written_meanwhile)
    often = EdgeLimits(flush_seconds=0.02, flush_points=10, replayed_points=50, calm_seconds=60)
    store = EdgeStore.create(path, SPACE, replace(often, growth=replace(FEW, look_seconds=3600)))
    shop = Shop(store)
    shop.add(700)
    assert store.grow()
    assert "update" in meanwhile
    assert "flush" not in meanwhile
    until(lambda: "flush" in told)  # but afterwards
    assert shop.agrees()
    store.close()


# --- that it is given up without harm ---------------------------------------------------------------------------------


def commanded(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Let a shell's script take the place of the building process."""
    monkeypatch.setattr(Plan, "command", lambda _self: ["/bin/sh", "-c", script])


@pytest.fixture
def shop(path: Path) -> Iterator[Shop]:
    """A shop of 590 products: ten more, and a graph is built."""
    store = EdgeStore.create(path, SPACE, LIMITS)
    made = Shop(store)
    made.add(590)
    yield made
    store.close()


def is_as_before(shop: Shop, path: Path) -> None:
    """Served, written and opened again from the first shard, and nothing is left of another."""
    until(lambda: shards(path) == ["shard"])
    assert not described(path).graph
    for _ in range(20):
        shop.change()
    assert shop.agrees()
    shop.index.close()
    again = EdgeStore.open(path)
    assert again.missing_points == 0
    shop.store = again
    assert shop.agrees()
    again.close()


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("kill -9 $$", "status -9"),
        ("echo no space left on device >&2; exit 1", "status 1: no space left on device"),
        # it says that it is done, and left a shard that cannot be loaded
        ("for f in {path}/shard-*/segments/*/segment.json; do echo '{{' > $f; done", "The embedded index failed"),
        ("rm -r {path}/shard-*/segments/* {path}/shard-*/wal", "0 points instead of 600 were built"),
    ],
    ids=["killed", "full", "damaged", "emptied"],
)
def test_a_building_process_that_fails_leaves_the_index_as_it_was(
    shop: Shop, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, script: str, why: str
) -> None:
    commanded(monkeypatch, script.format(path=path))
    shop.add(10)
    until(lambda: why in caplog.text)
    is_as_before(shop, path)


@pytest.mark.parametrize(
    ("bound", "why"),
    [
        (replace(FEW, journal_points=50), "more than 50 points were written meanwhile"),
        (replace(FEW, build_seconds=1.0), "it took longer than 1 s"),
    ],
    ids=["journal", "time"],
)
def test_a_build_beyond_its_bounds_is_given_up(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, bound: GrowthLimits, why: str
) -> None:
    commanded(monkeypatch, "exec sleep 100")
    shop = Shop(EdgeStore.create(path, SPACE, EdgeLimits(growth=bound)))
    shop.add(600)
    until(lambda: len(shards(path)) == 2)
    shop.add(51)
    until(lambda: why in caplog.text)
    is_as_before(shop, path)


def test_nothing_is_built_on_a_disk_without_room(
    shop: Shop, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    usage = shutil.disk_usage(path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage._replace(free=1_000_000))
    shop.add(10)
    until(lambda: "MB of disk meanwhile, and 1 are free" in caplog.text)
    is_as_before(shop, path)


def test_an_index_that_is_closed_waits_for_no_build(
    shop: Shop, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    commanded(monkeypatch, "exec sleep 100")
    shop.add(10)
    until(lambda: len(shards(path)) == 2)
    begun = time.monotonic()
    shop.index.close()
    assert time.monotonic() - begun < 20
    assert shards(path) == ["shard"]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_two_indexes_are_not_built_at_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commanded(monkeypatch, "exec sleep 100")
    folders = [path / name for name in ("a", "b")]
    shops = [Shop(EdgeStore.create(folder, SPACE, LIMITS)) for folder in folders]
    for shop in shops:
        shop.add(600)
    until(lambda: sum(len(shards(folder)) for folder in folders) == 3)
    time.sleep(5 * FEW.look_seconds)
    assert sum(len(shards(folder)) for folder in folders) == 3
    for shop in shops:
        shop.index.close()


def test_what_a_failed_write_did_is_not_known_so_the_journal_is_of_no_use_any_more() -> None:
    journal = Journal(most_points=10)
    journal.spoil("a write failed: disk full")
    journal.add("operation", 1)  # type: ignore[arg-type]
    assert journal.spoiled == "a write failed: disk full"


def test_a_description_that_cannot_be_replaced_leaves_the_former_shard_in_use(
    shop: Shop, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(folder: Path, sidecar: Sidecar, *, durable: bool) -> None:
        write_sidecar(folder, sidecar, durable=durable)
        if sidecar.shard != "shard":  # after it was replaced, as when the folder cannot be synced
            raise IndexUnavailable("the disk is failing")

    monkeypatch.setattr(open_shard, "write_sidecar", failing)
    shop.add(10)
    until(lambda: "the disk is failing" in caplog.text)
    is_as_before(shop, path)


# --- kill -9 ----------------------------------------------------------------------------------------------------------

WRITER = """
import sys, time
from pathlib import Path
from backend.vectors.edge_store import EdgeStore
from tests.unit.vectors.test_edge_growth import LIMITS, told

store = EdgeStore.open(Path(sys.argv[1]), LIMITS)
done = int(sys.argv[2])
shop = told(done)
shop.store = store
while True:
    shop.change()
    done += 1
    print(done, flush=True)
    time.sleep(0.002)
"""


def told(changes: int) -> Shop:
    """What an index must hold after so many changes."""
    shop = Shop(Nobody(), seed=3)
    shop.add(550)
    for _ in range(changes):
        shop.change()
    return shop


def killed_when(reached: Callable[[], bool], seconds: float, path: Path, done: int) -> int:
    """Let a process write and build, and kill it so long after something; how many changes it said were made."""
    command = [sys.executable, "-W", "error", "-c", WRITER, str(path), str(done)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        first = writer.stdout.readline()
        lines = [first]
        reader = threading.Thread(target=lambda: lines.extend(writer.stdout or ()))
        reader.start()
        until(reached)
        time.sleep(seconds)
        writer.kill()
        reader.join()
    return int([line for line in lines if line.endswith("\n")][-1])


def building(path: Path) -> list[str]:
    """Command lines of processes that build for this index."""
    lines = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(process.read_text())
        except OSError:
            continue
    return [line for line in lines if "edge_build" in line and str(path) in line]


def is_at(stage: str, path: Path, first: str) -> bool:
    """Whether a build that began with that shard has come so far."""
    match stage:
        case "copied":
            return len(shards(path)) > 1
        case "building":
            return bool(building(path))
        case "moved":
            return described(path).shard != first
    return True


@pytest.mark.slow
def test_killed_at_any_moment_of_a_build_nothing_is_lost_and_nothing_is_left(path: Path) -> None:
    shop = told(0)
    store = EdgeStore.create(path, SPACE)
    shop.store = store
    shop.rewrite()
    store.close()
    moments, done = random.Random(5), 0
    for stage in ["begun", "copied", "building", "moved", "copied", "moved", "building", "moved"]:
        first = described(path).shard
        done = killed_when(partial(is_at, stage, path, first), moments.choice([0.0, 0.01, 0.1, 0.5]), path, done)
        until(lambda: not building(path))
        again = EdgeStore.open(path)
        assert again.missing_points == 0
        again.accept_loss()
        agreeing = []
        for changes in (done, done + 1):  # the last one may have been made before it could say so
            shop = told(changes)
            shop.store = again
            agreeing += [changes] if shop.agrees() else []
        assert agreeing
        done = agreeing[0]
        assert shards(path) == [described(path).shard]
        assert (described(path).shard != first) or stage != "moved"
        again.close()
