"""A walk over a whole index gives what another index is made of, whatever the two engines are."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from backend.domain.filters import Filter
from backend.errors import IndexUnavailable
from backend.ports import Point, VectorStore
from backend.vectors import points_file
from backend.vectors.points_file import read_points_files, write_points_files
from tests.contracts.vector_stores import CLIENT, EDGE, FAKE, KINDS, opened
from tests.factories import product
from tests.unit.vectors.points import points, signs, tombstone

pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant:UserWarning"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact:UserWarning"),
]


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VectorStore]:
    with opened(request.param, tmp_path) as it:
        yield it


def filled(store: VectorStore) -> VectorStore:
    """More points than are read at once, of two merchants, some removed."""
    for number in range(40):
        of = product(f"p-{number}", merchant=f"m-{number % 2}", title=f"Kleid „{number}“ 👗", price=None)
        store.upsert(points(of, signs(number, 8)))
    store.bury([tombstone(product("p-3", merchant="m-1"), "picture 1")])
    return store


def in_order(found: Iterator[Point] | list[Point]) -> list[Point]:
    return sorted(found, key=lambda point: point.point_id)


def test_every_point_is_walked_once_in_the_order_of_ids_and_no_tombstone(store: VectorStore) -> None:
    filled(store)
    ids = [point.point_id for point in store.scan()]
    assert ids == sorted(set(ids))
    assert len(ids) == store.count() == 319


def test_an_empty_index_is_walked_at_once(store: VectorStore) -> None:
    assert list(store.scan()) == []


@pytest.mark.parametrize("kind", [FAKE, EDGE, CLIENT])
def test_another_index_made_of_the_walk_answers_the_same(store: VectorStore, kind: str, tmp_path: Path) -> None:
    filled(store)
    with opened(kind, tmp_path / "other") as other:
        other.upsert(list(store.scan()))
        assert other.count() == store.count()
        for here, there in zip(store.scan(), other.scan(), strict=True):
            assert (here.point_id, here.payload) == (there.point_id, there.payload)
            np.testing.assert_array_equal(here.vector, there.vector)
        for vector in signs(99, 20):
            mine, theirs = (it.nearest("m-1", vector, Filter(), limit=10, exact=True) for it in (store, other))
            assert [match.product_id for match in mine] == [match.product_id for match in theirs]
        assert len(other.worded("m-0", ["kleid"], Filter(), limit=50)) == 20
        assert other.facet("m-0", "brand", Filter(), limit=3) == [("Arden", 20)]


def test_points_in_files_come_back_to_the_last_bit(
    store: VectorStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(points_file, "POINTS_PER_FILE", 100)
    filled(store)
    assert write_points_files(tmp_path / "points", store.scan()) == 319
    read = [point for some in read_points_files(tmp_path / "points") for point in some]
    for here, there in zip(store.scan(), read, strict=True):
        assert (here.point_id, here.payload) == (there.point_id, there.payload)
        np.testing.assert_array_equal(here.vector, there.vector)


def test_a_damaged_file_of_points_is_said(tmp_path: Path) -> None:
    write_points_files(tmp_path / "points", points(product(), signs(1, 3)))
    (file,) = (tmp_path / "points").iterdir()
    data = bytearray(file.read_bytes())
    data[300] ^= 1
    file.write_bytes(data)
    with pytest.raises(IndexUnavailable, match="points-000000"):
        list(read_points_files(tmp_path / "points"))
