"""The open shard: losses noticed, and when it is flushed."""

import errno
import os
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backend.errors import IndexUnavailable
from backend.vectors.edge_limits import EdgeLimits
from backend.vectors.edge_store import EdgeStore
from backend.vectors.open_shard import OpenShard
from backend.vectors.sidecar import Sidecar, read_sidecar
from tests.factories import product
from tests.unit.vectors.folders import noting_flushes
from tests.unit.vectors.points import SPACE, points, signs
from tests.unit.vectors.telling import until


def test_a_lost_segment_is_noticed_until_the_loss_is_accepted(store: EdgeStore, path: Path) -> None:
    store.upsert(points(product(), signs(1, 40)))
    store.close()
    for segment in (path / "shard" / "segments").iterdir():
        shutil.rmtree(segment)
    shutil.rmtree(path / "shard" / "wal")
    for _ in range(2):  # a restart before the rebuild was ordered sees it again
        again = EdgeStore.open(path)
        assert (again.count(), again.missing_points) == (0, 40)
        again.flush()
        again.close()
    again = EdgeStore.open(path)
    again.accept_loss()
    assert again.missing_points == 0
    again.upsert(points(product(), signs(1, 7)))
    again.close()
    after = EdgeStore.open(path)
    assert (after.count(), after.missing_points) == (7, 0)
    after.close()


def test_an_index_that_lost_its_shard_opens_empty_and_says_so(store: EdgeStore, path: Path) -> None:
    store.upsert(points(product(), signs(1, 4)))
    store.close()
    shutil.rmtree(path / "shard")
    again = EdgeStore.open_or_create(path, SPACE)
    assert (again.count(), again.missing_points) == (0, 4)
    again.close()


def test_a_damaged_index_is_unavailable_and_the_message_says_what_to_do(store: EdgeStore, path: Path) -> None:
    store.close()
    for description in (path / "shard" / "segments").glob("*/segment.json"):
        description.write_text('{"initial_version"')
    with pytest.raises(IndexUnavailable, match="build the index anew"):
        EdgeStore.open(path)


def left_open(path: Path) -> Path:
    """What a process that was killed, or a loss of power, leaves of an index that is open now."""
    copy = path.with_name("left-open")
    shutil.copytree(path, copy)
    return copy


def test_an_index_that_was_closed_leaves_no_doubt(store: EdgeStore, path: Path) -> None:
    store.upsert(points(product(), signs(1, 4)))
    assert store.unsure_since is None
    store.close()
    again = EdgeStore.open(path)
    assert again.unsure_since is None
    again.close()


def test_one_that_was_not_closed_is_in_doubt_from_its_last_flush_on_until_that_is_accepted(
    store: EdgeStore, path: Path
) -> None:
    store.upsert(points(product("p-0"), signs(1, 4)))
    before = datetime.now(UTC)
    store.flush()
    after = datetime.now(UTC)
    store.flush()  # with nothing to write: no reason to touch the disk
    store.upsert(points(product(), signs(1, 4)))
    copy = left_open(path)
    for _ in range(2):  # a restart before what is missing was ordered has the same doubt
        again = EdgeStore.open(copy)
        assert again.unsure_since is not None
        assert before <= again.unsure_since <= after
        again.flush()
        again.close()
    again = EdgeStore.open(copy)
    again.accept_loss()
    assert again.unsure_since is None
    again.close()
    again = EdgeStore.open(copy)
    assert (again.unsure_since, again.missing_points) == (None, 0)
    again.close()


def test_one_that_was_opened_and_never_flushed_is_in_doubt_from_its_opening_on(store: EdgeStore, path: Path) -> None:
    store.close()
    before = datetime.now(UTC)
    store = EdgeStore.open(path)
    again = EdgeStore.open(left_open(path))
    assert again.unsure_since is not None
    assert before <= again.unsure_since <= datetime.now(UTC)
    again.close()
    store.close()


def test_a_copy_the_disk_has_no_room_for_is_refused_before_it_is_begun(
    store: EdgeStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.upsert(points(product(), signs(1, 4)))
    usage = shutil.disk_usage(path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage._replace(free=60_000_000))  # but for the reserve
    copy = path.with_name("copies") / "one"
    with pytest.raises(IndexUnavailable, match="MB of disk meanwhile, and 60 are free"):
        store.snapshot(copy)
    assert not copy.exists()
    monkeypatch.undo()
    store.snapshot(copy)
    assert noted(copy) == 4


# --- when it is flushed -----------------------------------------------------------------------------------------------


def noted(path: Path) -> int:
    """The number of points noted at the last flush."""
    sidecar = read_sidecar(path)
    assert sidecar is not None
    return sidecar.points


def test_a_flush_waits_for_the_log_and_leaves_the_engine_alone(store: EdgeStore, path: Path, told: list[str]) -> None:
    """The engine would hold Python's lock while it waits for each of its files."""
    store.upsert(points(product(), signs(1, 4)))
    with noting_flushes() as flushed:
        store.flush()
    assert "flush" not in told
    assert noted(path) == 4
    log = path / "shard" / "wal"
    assert {log, *log.iterdir()} <= flushed
    assert not [file for file in flushed if "segments" in file.parts]


def test_a_log_that_cannot_be_flushed_is_said_and_tried_again(
    store: EdgeStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.upsert(points(product(), signs(1, 4)))
    with monkeypatch.context() as full:
        full.setattr(os, "fsync", failing)
        with pytest.raises(IndexUnavailable, match=r"log .* cannot be flushed: .*No space left"):
            store.flush()
    assert noted(path) == 0
    store.flush()
    assert noted(path) == 4


def failing(_handle: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_enough_points_are_flushed_at_once(path: Path) -> None:
    store = EdgeStore.create(path, SPACE, EdgeLimits(batch_points=10, flush_seconds=3600, replayed_points=30))
    store.upsert(points(product("p-1"), signs(1, 29)))
    assert noted(path) == 0
    store.upsert(points(product("p-2"), signs(2, 1)))
    assert noted(path) == 30
    store.upsert(points(product("p-3"), signs(3, 5)))
    assert noted(path) == 30
    store.close()
    assert noted(path) == 35


def test_a_few_points_are_flushed_after_a_while_though_nothing_more_is_written(path: Path) -> None:
    store = EdgeStore.create(path, SPACE, EdgeLimits(flush_seconds=0.05))
    store.upsert(points(product(), signs(1, 3)))
    until(lambda: noted(path) == 3)
    store.close()


@pytest.mark.parametrize("calm_seconds", [60.0, 0.0])
def test_the_engine_is_told_to_flush_when_the_disk_has_little_else_to_do(
    path: Path, told: list[str], calm_seconds: float
) -> None:
    limits = EdgeLimits(flush_seconds=0.02, flush_points=10, calm_seconds=calm_seconds)
    store = EdgeStore.create(path, SPACE, limits)
    store.upsert(points(product("few"), signs(1, 9)))
    until(lambda: noted(path) == 9)
    assert "flush" not in told
    store.upsert(points(product("enough"), signs(2, 1)))
    until(lambda: noted(path) == 10)
    if calm_seconds:
        until(lambda: "flush" in told)
    else:
        time.sleep(0.2)
        assert "flush" not in told
    store.close()


class PanicError(BaseException):
    """As the engine's own on damaged data: not an Exception."""


class Panicking:
    """An engine that panics at every update and counts its flushes."""

    def __init__(self) -> None:
        self.flushes = 0
        self.points_count = 0

    def info(self) -> "Panicking":
        return self

    def update(self, _operation: object) -> None:
        raise PanicError("payload storage is corrupted")

    def flush(self) -> None:
        self.flushes += 1

    def close(self) -> None:
        pass


def test_after_a_failed_write_the_engine_is_flushed_so_that_no_replay_repeats_half_of_it(tmp_path: Path) -> None:
    engine = Panicking()
    shard = OpenShard(tmp_path, Sidecar(SPACE, ""), engine, EdgeLimits())  # type: ignore[arg-type]
    with pytest.raises(IndexUnavailable, match="corrupted"):
        shard.write([("operation", 1)])  # type: ignore[list-item]
    assert engine.flushes == 1
    shard.close()
