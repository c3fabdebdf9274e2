"""A shard dealt to several segments holds what it held, whatever that is, and stays dealt."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import qdrant_edge

from backend.vectors import edge_parts
from backend.vectors.edge_build import Plan, build
from backend.vectors.edge_search import vector_of
from backend.vectors.edge_shard import create_shard, load_shard
from backend.vectors.edge_store import EdgeStore
from backend.vectors.payload import VECTOR_NAME
from tests.factories import product
from tests.unit.vectors.points import DIMENSION, SPACE, clustered, points, tombstone

PRODUCTS = 1_200


def filled(path: Path) -> Path:
    """A shard of many products and of tombstones, closed."""
    store = EdgeStore.create(path, SPACE)
    vectors = clustered(1, PRODUCTS, DIMENSION)
    for number in range(0, PRODUCTS, 100):
        written = []
        for place in range(number, number + 100):
            made = product(f"p{place}", price=Decimal(place) / 3 if place % 5 else None, attributes={"new": True})
            written += points(made, [vectors[place]])
        store.upsert(written)
    store.bury([tombstone(product(f"p{place}"), "picture 0", 2) for place in range(50)])
    store.close()
    return path / "shard"


def content(shard: qdrant_edge.EdgeShard) -> dict[str, tuple[bytes, Any]]:
    records, after = shard.scroll(
        qdrant_edge.ScrollRequest(limit=10 * PRODUCTS, with_payload=True, with_vector=[VECTOR_NAME])
    )
    assert after is None
    return {str(record.id): (vector_of(record).tobytes(), record.payload) for record in records}


def segments(folder: Path) -> int:
    """Those that are built, without the one that is written to."""
    shard = load_shard(folder)
    info = shard.info()
    shard.close()
    assert info.indexed_vectors_count >= PRODUCTS  # with some that were deleted since
    return int(info.segments_count) - 1


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_what_is_dealt_to_parts_is_all_there_and_each_is_a_segment(
    path: Path, monkeypatch: pytest.MonkeyPatch, parts: int
) -> None:
    monkeypatch.setattr(edge_parts, "PAGE_POINTS", 64)
    folder = filled(path)
    shard = load_shard(folder)
    before = content(shard)
    shard.close()
    assert build(Plan(folder, DIMENSION, True, indexed_kb=4, scan_points=100, parts=parts))
    assert segments(folder) == parts
    shard = load_shard(folder)
    assert content(shard) == before
    shard.close()
    assert [entry for entry in path.iterdir() if entry.name not in {"shard", "index.json"}] == []


def test_what_is_dealt_already_is_not_dealt_again_when_much_has_changed(path: Path) -> None:
    folder = filled(path)
    plan = Plan(folder, DIMENSION, True, indexed_kb=4, scan_points=100, parts=2)
    assert build(plan)
    assert not build(plan)  # nothing has changed
    shard = load_shard(folder)
    before = content(shard)
    half = [
        qdrant_edge.Point(id=name, vector={VECTOR_NAME: np.frombuffer(vector, np.float32).tolist()}, payload=payload)
        for name, (vector, payload) in list(before.items())[: PRODUCTS // 2]
    ]
    shard.update(qdrant_edge.UpdateOperation.upsert_points(half))
    shard.flush()
    shard.close()
    assert build(plan)
    assert segments(folder) == 2
    shard = load_shard(folder)
    assert content(shard).keys() == before.keys()
    shard.close()


def test_an_empty_shard_can_be_dealt(tmp_path: Path) -> None:
    create_shard(tmp_path / "shard", DIMENSION)
    assert build(Plan(tmp_path / "shard", DIMENSION, True, indexed_kb=4, scan_points=100, parts=2))
