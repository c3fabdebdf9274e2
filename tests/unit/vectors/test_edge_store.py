"""The embedded index over its life: restarts, kills, forks. What it answers is the contract's to test."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qdrant_edge import FacetRequest, SearchParams

from backend.domain.filters import Filter
from backend.errors import DataDirectoryInUse, IndexUnavailable, Misconfigured, ModelMismatch
from backend.ports import Space
from backend.vectors import edge_search
from backend.vectors.deepening import TIERS
from backend.vectors.edge_store import EdgeStore
from backend.vectors.open_shard import OpenShard
from tests.factories import key, product
from tests.unit.vectors.points import SPACE, point, points, signs, toward

ROOT = Path(__file__).parents[3]

# What a subprocess begins with. Every product has two pictures.
PRELUDE = """
import os, sys
from pathlib import Path
from backend.domain.filters import Filter
from backend.vectors.edge_store import EdgeStore
from tests.factories import key, product
from tests.unit.vectors.points import SPACE, points, signs, tombstones, toward
path = Path(sys.argv[1])
def shown(number): return points(product(f"p{number}"), signs(number, 2))
def gone(number): return tombstones(product(f"p{number}"), 2, version=3)
"""


def script(path: Path, body: str) -> subprocess.Popen[str]:
    """Run `body` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-u", "-c", PRELUDE + body, str(path)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def end(process: subprocess.Popen[str]) -> None:
    """Kill the process as a power button or the kernel's memory guard would."""
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=10)


def test_a_closed_index_is_opened_again_with_everything(store: EdgeStore, path: Path) -> None:
    store.upsert(points(product("p-1", attributes={"size": "m"}), signs(1, 3)))
    store.upsert(points(product("p-2"), signs(2, 2)))
    vectors = store.vectors_of(key("p-1"))
    found = store.nearest("shop", toward(1.0), Filter(), limit=10)
    store.close()
    again = EdgeStore.open_or_create(path, SPACE)
    assert (again.space, again.count(), again.missing_points) == (SPACE, 5, 0)
    assert again.nearest("shop", toward(1.0), Filter(), limit=10) == found
    assert all(np.array_equal(vector, again.vectors_of(key("p-1"))[image]) for image, vector in vectors.items())
    again.close()


def test_another_process_is_refused_while_the_index_is_open_but_may_ask_for_its_space(
    store: EdgeStore, path: Path
) -> None:
    other = script(
        path,
        "print(EdgeStore.stored_space(path).model)\ntry: EdgeStore.open(path)\nexcept Exception as e: print(e.code)\n",
    )
    assert said(other) == SPACE.model
    assert said(other) == DataDirectoryInUse.code
    other.communicate(timeout=10)
    store.upsert([point(product(), toward(1.0))])
    assert store.count() == 1


def test_an_index_of_another_encoder_is_refused(store: EdgeStore, path: Path) -> None:
    store.close()
    with pytest.raises(ModelMismatch, match="reindex"):
        EdgeStore.open_or_create(path, Space(SPACE.model, SPACE.dimension, "other weights"))
    assert EdgeStore.stored_space(path) == SPACE
    EdgeStore.open_or_create(path, SPACE).close()


def test_an_index_is_not_made_over_another(store: EdgeStore, path: Path) -> None:
    with pytest.raises(Misconfigured, match="already"):
        EdgeStore.create(path, SPACE)
    (path / "index.json").unlink()
    with pytest.raises(Misconfigured, match="already"):
        EdgeStore.create(path, SPACE)


def test_an_index_that_is_not_there_has_no_space_and_cannot_be_opened(path: Path) -> None:
    assert EdgeStore.stored_space(path) is None
    with pytest.raises(IndexUnavailable, match="no index"):
        EdgeStore.open(path)


def test_a_place_that_cannot_hold_an_index_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(IndexUnavailable, match="cannot be created"):
        EdgeStore.create(tmp_path / "file" / "index", SPACE)


def test_a_killed_writer_loses_nothing_it_was_told_is_written(path: Path) -> None:
    writer = script(
        path,
        """
store = EdgeStore.create(path, SPACE)
for number in range(100_000):
    store.upsert(shown(number))
    store.set_facts(key(f"p{number}"), {"version": 2, "title": f"title {number}"})
    if number % 3 == 2: store.bury(gone(number))
    print(number)
""",
    )
    written = 0
    while written < 100:
        written = int(said(writer))
    end(writer)
    assert writer.stdout is not None
    store = EdgeStore.open(path)
    store.upsert([each for number in range(written + 1) for each in points(product(f"p{number}"), signs(number, 2))])
    for number in range(written + 1):
        vectors = store.vectors_of(key(f"p{number}"))
        assert len(vectors) == (0 if number % 3 == 2 else 2)
    found = {
        match.product_id: match.payload["title"] for match in store.nearest("shop", toward(1.0), Filter(), limit=5000)
    }
    assert all(found[f"p{number}"] == f"title {number}" for number in range(written + 1) if number % 3 != 2)
    store.close()


def test_tombstones_purged_before_a_kill_are_not_taken_for_a_loss(path: Path) -> None:
    writer = script(
        path,
        """
from datetime import UTC, datetime
store = EdgeStore.create(path, SPACE)
for number in range(30): store.upsert(shown(number))
store.bury([each for number in range(20) for each in gone(number)])
store.flush()
store.purge_tombstones(datetime(2100, 1, 1, tzinfo=UTC))
store.bury(gone(20))
print("purged")
sys.stdin.read()
""",
    )
    assert said(writer) == "purged"
    end(writer)
    store = EdgeStore.open(path)
    assert (store.count(), store.missing_points) == (18, 0)
    store.close()


def test_a_forked_child_is_refused_at_once_and_the_parent_goes_on(path: Path) -> None:
    process = script(
        path,
        """
store = EdgeStore.create(path, SPACE)
store.upsert(shown(0))
child = os.fork()
if child == 0:
    uses = [lambda: store.nearest("shop", toward(1.0), Filter(), limit=1), store.count, store.flush,
            lambda: store.upsert(shown(1)), lambda: store.vectors_of(key("p0"))]
    for use in uses:
        try: use()
        except Exception as err: print(err.code, "forked" in str(err))
    store.close()
    os._exit(0)
os.waitpid(child, 0)
print(store.count(), len(store.nearest("shop", toward(1.0), Filter(), limit=1)))
store.close()
""",
    )
    output, _ = process.communicate(timeout=60)
    assert output.splitlines() == ["index_unavailable True"] * 5 + ["2 1"]


def test_the_engine_is_asked_for_as_many_candidates_at_every_page_and_to_rescore_them(
    store: EdgeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, SearchParams]] = []
    ask = OpenShard.ask

    def remembering(shard: OpenShard, method: str, *arguments: Any) -> Any:
        if method == "query":
            asked.append((arguments[0].limit, arguments[0].params))
        return ask(shard, method, *arguments)

    monkeypatch.setattr(OpenShard, "ask", remembering)
    store.upsert([each for n in range(300) for each in points(product(f"p{n}"), signs(n, 2))])
    for limit in (1, 5, 24, 100, 128):
        store.nearest("shop", toward(1.0, 0.9, 0.8), Filter(), limit=limit)
    assert len({number for number, _ in asked}) > 1
    for number, parameters in asked:
        quantization = parameters.quantization
        assert quantization is not None
        assert quantization.rescore is True
        assert number * (quantization.oversampling or 0) == TIERS[0].candidates


def test_more_values_than_are_read_are_counted_in_one_pass_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge_search, "EVERY_VALUE", 3)
    store = EdgeStore.create(tmp_path / "index", SPACE)
    colours = ["red"] * 4 + ["blue"] * 3 + ["green"] * 2
    store.upsert(
        [
            point(product(f"p{n}", attributes={"colour": colour, "code": f"c{n}"}), toward(1.0))
            for n, colour in enumerate(colours)
        ]
    )
    asked: list[Any] = []
    ask = store._shard.ask

    def noted(method: str, *arguments: Any) -> Any:
        asked.extend(arguments)
        return ask(method, *arguments)

    monkeypatch.setattr(store._shard, "ask", noted)
    counted = store.facet("shop", "attribute_terms", Filter(), limit=100)
    assert counted == [("colour=red", 4), ("colour=blue", 3), ("colour=green", 2)]
    assert [each.exact for each in asked if isinstance(each, FacetRequest)] == [False]
    store.close()
