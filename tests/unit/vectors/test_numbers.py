"""Attributes that are numbers have an index each, and are found by range with it and without."""

from pathlib import Path

import pytest

from backend.domain.filters import Between, Filter
from backend.domain.payload import product_payload
from backend.vectors import server_store
from backend.vectors.edge_limits import EdgeLimits
from backend.vectors.edge_store import EdgeStore
from backend.vectors.numbers import MAX_NUMBER_FIELDS, number_fields, unmet
from tests.factories import product
from tests.unit.vectors.points import SPACE, point, toward


def payload(**attributes: object) -> dict[str, object]:
    return product_payload(product(attributes=attributes), 1)  # type: ignore[arg-type]


def heavy(store: EdgeStore) -> list[str]:
    wanted = Filter((Between("attributes.weight", gte=2),))
    return [match.product_id for match in store.nearest("shop", toward(1.0), wanted, limit=10)]


def test_only_numbers_are_met_and_flags_are_none() -> None:
    assert number_fields([payload(weight=3, new=True, colour="red"), payload(heel=0.5), {"version": 1}]) == {
        "attributes.weight",
        "attributes.heel",
    }


def test_there_are_only_so_many_indexes() -> None:
    fields = {f"attributes.{number:03}" for number in range(MAX_NUMBER_FIELDS + 5)}
    met = set(unmet(fields, {"attributes.a"}))
    assert len(met) == MAX_NUMBER_FIELDS - 1
    assert unmet(fields, met | {"attributes.a"}) == []


def test_a_number_gets_its_index_with_the_first_product_that_has_it(tmp_path: Path) -> None:
    store = EdgeStore.create(tmp_path / "index", SPACE)
    for number in range(4):
        store.upsert([point(product(f"p{number}", attributes={"weight": number}), toward(1.0, 0.1 * number))])
    assert store._shard.number_indexes() == {"attributes.weight"}
    store.set_facts(product("p0").key, product_payload(product("p0", attributes={"weight": 9, "heel": 1.5}), 2))
    assert store._shard.number_indexes() == {"attributes.weight", "attributes.heel"}
    assert sorted(heavy(store)) == ["p0", "p2", "p3"]
    store.close()


def test_a_large_index_gets_it_when_it_is_built_anew_and_finds_the_same_before(tmp_path: Path) -> None:
    store = EdgeStore.create(tmp_path / "index", SPACE, EdgeLimits(index_at_once_points=0))
    store.upsert([point(product("bare", attributes={}), toward(1.0))])
    store.upsert([point(product(f"p{n}", attributes={"weight": n}), toward(1.0, 0.1 * n)) for n in range(4)])
    assert (store._shard.number_indexes(), sorted(heavy(store))) == (set(), ["p2", "p3"])
    assert store._growth.look()
    assert (store._shard.number_indexes(), sorted(heavy(store))) == ({"attributes.weight"}, ["p2", "p3"])
    assert not store._growth.look(), "it is built once"
    store.close()


def test_a_number_whose_index_was_never_built_is_found_by_the_next_process(tmp_path: Path) -> None:
    limits = EdgeLimits(index_at_once_points=0)
    store = EdgeStore.create(tmp_path / "index", SPACE, limits)
    store.upsert([point(product("bare", attributes={}), toward(1.0))])
    store.upsert([point(product(f"p{n}", attributes={"weight": n}), toward(1.0, 0.1 * n)) for n in range(4)])
    store.close()
    again = EdgeStore.open(tmp_path / "index", limits)
    assert again._shard.number_indexes() == set()
    assert sorted(heavy(again)) == ["p2", "p3"]
    again.close()


def test_a_server_is_asked_for_an_index_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(server_store, "number_indexes", lambda *_: {"attributes.heel"})
    monkeypatch.setattr(server_store, "index_number", lambda _server, _collection, field: asked.append(field))
    store = server_store.ServerStore(None, "products", SPACE)  # type: ignore[arg-type] # nothing else is asked of it
    for _ in range(2):
        store._index_numbers([payload(weight=3, heel=0.5)])
    assert asked == ["attributes.weight"]
