"""A search whose filter does not name the merchant shows nobody else's products all the same."""

from decimal import Decimal
from typing import Any

import pytest

from backend.domain.filters import AnyOf, Between, Filter, Within
from backend.vectors.edge_nearest import Shares
from backend.vectors.edge_store import EdgeStore
from backend.vectors.open_shard import OpenShard
from tests.factories import product
from tests.unit.vectors.points import points, signs, tombstone, toward

TWO_BOUNDS = [
    (Between("price", gte=20, gt=0), ["one-20", "one-30"]),
    (Between("price", gte=0, gt=20), ["one-30"]),
    (Between("price", gte=20, gt=20), ["one-30"]),
    (Between("price", lte=20, lt=30), ["one-10", "one-20"]),
    (Between("price", lte=30, lt=20), ["one-10"]),
    (Between("price", gte=30, lte=10), []),
    (Between("price", gt=20, lte=20), []),
    (Between("price", gte=20, lte=20), ["one-20"]),
]
QUERY = toward(1.0, 0.9, 0.8)
WANTED = [
    Filter(),
    Filter(must=(AnyOf("in_stock", (1,)),)),
    Filter(must_not=(Within(("shoes",)),)),  # which a tombstone satisfies
]


def fill(store: EdgeStore, merchant: str, seed: int, number: int = 40) -> None:
    for place in range(number):
        store.upsert(points(product(f"{merchant}-{place}", merchant=merchant), signs(seed + place, 2)))


def found(store: EdgeStore, merchant: str, wanted: Filter, limit: int = 30) -> list[str]:
    return [match.product_id for match in store.nearest(merchant, QUERY, wanted, limit=limit)]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The filters the engine was asked with."""
    remembered: list[Any] = []
    ask = OpenShard.ask

    def remembering(shard: OpenShard, method: str, *arguments: Any) -> Any:
        if method == "query":
            remembered.append(arguments[0].filter)
        return ask(shard, method, *arguments)

    monkeypatch.setattr(OpenShard, "ask", remembering)
    return remembered


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the engine was asked to count."""
    remembered: list[str] = []
    ask = OpenShard.ask

    def remembering(shard: OpenShard, method: str, *arguments: Any) -> Any:
        if method in {"count", "info"}:
            remembered.append(method)
        return ask(shard, method, *arguments)

    monkeypatch.setattr(OpenShard, "ask", remembering)
    return remembered


def names_merchant(condition: Any) -> bool:
    return any(getattr(item, "key", None) == "merchant" for item in condition.must or [])


def test_of_one_merchant_alone_the_engine_is_not_asked_whose_anything_is(store: EdgeStore, asked: list[Any]) -> None:
    fill(store, "one", 1)
    assert len(found(store, "one", Filter())) == 30
    assert [names_merchant(condition) for condition in asked] == [False]


@pytest.mark.parametrize(("wanted", "names"), TWO_BOUNDS, ids=str)
def test_of_two_bounds_on_one_side_both_hold(store: EdgeStore, wanted: Between, names: list[str]) -> None:
    """By the index of prices alone, for nobody else has anything here."""
    for price in (10, 20, 30):
        store.upsert(points(product(f"one-{price}", merchant="one", price=Decimal(price)), signs(price, 1)))
    assert sorted(found(store, "one", Filter(must=(wanted,)))) == names
    assert store.count_products("one", Filter(must=(wanted,))) == len(names)


@pytest.mark.parametrize("wanted", WANTED, ids=["none", "stock", "no shoes"])
def test_among_others_and_beside_tombstones_it_is(store: EdgeStore, asked: list[Any], wanted: Filter) -> None:
    fill(store, "one", 1)
    fill(store, "two", 1)  # the very same pictures
    store.bury([tombstone(product("one-3", merchant="one"), "picture 0")])
    assert all(name.startswith("one-") for name in found(store, "one", wanted))
    assert all(names_merchant(condition) for condition in asked)


@pytest.mark.parametrize("wanted", WANTED, ids=["none", "stock", "no shoes"])
@pytest.mark.parametrize("exact", [False, True])
def test_an_estimate_that_is_wrong_shows_nobody_elses_product(
    store: EdgeStore, monkeypatch: pytest.MonkeyPatch, wanted: Filter, exact: bool
) -> None:
    fill(store, "one", 1)
    fill(store, "two", 1)
    for place in range(10):
        store.bury([tombstone(product(f"one-{place}", merchant="one"), f"picture {picture}") for picture in range(2)])
    right = store.nearest("one", QUERY, wanted, limit=30, exact=exact)
    monkeypatch.setattr(Shares, "of", lambda *_: (10**9, 10**9))
    assert store.nearest("one", QUERY, wanted, limit=30, exact=exact) == right
    assert len(right) == 30
    assert store.nearest("three", QUERY, wanted, limit=30, exact=exact) == []


def test_what_another_merchant_adds_between_the_count_and_the_search_is_not_shown(
    store: EdgeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, "one", 1)
    before = found(store, "one", Filter())
    ask = OpenShard.ask

    def late(shard: OpenShard, method: str, *arguments: Any) -> Any:
        if method == "query":
            monkeypatch.setattr(OpenShard, "ask", ask)
            store.upsert(points(product("stranger", merchant="two"), [QUERY]))
        return ask(shard, method, *arguments)

    monkeypatch.setattr(OpenShard, "ask", late)
    assert found(store, "one", Filter()) == before
    assert found(store, "two", Filter()) == ["stranger"]


def test_whose_how_much_is_is_counted_anew_only_after_a_write(store: EdgeStore, counted: list[str]) -> None:
    fill(store, "one", 1)
    counted.clear()
    for _ in range(3):
        found(store, "one", Filter())
    assert sorted(counted) == ["count", "info"]
    store.upsert(points(product("stranger", merchant="two"), [QUERY]))
    for _ in range(3):
        assert "stranger" not in found(store, "one", Filter())
        assert found(store, "two", Filter()) == ["stranger"]
    assert sorted(counted) == ["count", "count", "count", "info", "info"]
