"""A shard with a graph answers as one without: the same filters, pages that begin with each other, hardly a miss.

Small, so that it is built in seconds: the graph is walked here from 100 points on.
"""

from collections.abc import Iterator
from decimal import Decimal

import numpy as np
import pytest

from backend.domain.filters import AnyOf, Between, Filter, Within, matches
from backend.domain.payload import Payload
from backend.domain.picture import Vector
from backend.vectors import graph_walk
from backend.vectors.edge_limits import EdgeLimits, GrowthLimits
from backend.vectors.edge_store import EdgeStore
from tests.factories import product
from tests.unit.vectors.folders import folder_in_memory
from tests.unit.vectors.points import DIMENSION, SPACE, clustered, points

POINTS, LATER, PER_PRODUCT = 4_000, 300, 2
LIMITS = EdgeLimits(growth=GrowthLimits(graph_points=POINTS, scan_points=100, indexed_kb=64, look_seconds=3600))
CATEGORIES = ["clothing/dress", "clothing/coat", "shoes"]
WANTED = {
    "none": Filter(),
    "in stock": Filter(must=(AnyOf("in_stock", (1,)),)),
    "category": Filter(must=(Within(("clothing/dress",)),)),
    "category and stock": Filter(must=(Within(("clothing/coat",)), AnyOf("in_stock", (1,)))),
    "two categories": Filter(must=(Within(("shoes", "clothing/coat")),)),
    "price": Filter(must=(Between("price", gte=10, lt=20),)),
    "prices and stock": Filter(must=(Between("price", gte=20, lt=70), AnyOf("in_stock", (1,)))),
    "none of a category": Filter(must_not=(Within(("shoes",)),)),
    "few": Filter(must=(AnyOf("brand", ("B7",)),)),
}


class Shop:
    """An index with a graph, some points outside it, and what is in it."""

    def __init__(self, store: EdgeStore) -> None:
        self.store = store
        self.vectors = clustered(1, POINTS + LATER, DIMENSION)
        random = np.random.default_rng(2)
        # What lies together shares a category, as in a shop: the hard case for a graph under a filter.
        place = np.argsort(np.argsort(self.vectors @ random.standard_normal(DIMENSION)))
        self.payloads: dict[str, Payload] = {}
        written = []
        for number in range(0, POINTS + LATER, PER_PRODUCT):
            made = product(
                f"p{number // PER_PRODUCT:04}",
                category=CATEGORIES[place[number] * len(CATEGORIES) // (POINTS + LATER)],
                brand=f"B{random.integers(0, 100)}",
                price=Decimal(int(random.integers(0, 100))),
                in_stock=bool(random.random() < 0.5),
            )
            written += points(made, self.vectors[number : number + PER_PRODUCT])
            self.payloads[made.key.product_id] = written[-1].payload
        store.upsert(written[:POINTS])
        assert store.grow()
        store.upsert(written[POINTS:])

    def best(self, query: Vector, wanted: Filter, number: int) -> list[str]:
        """By brute force."""
        scores = (self.vectors @ query).reshape(-1, PER_PRODUCT).max(axis=1)
        return [name for place in np.argsort(-scores) if matches(self.payloads[name := f"p{place:04}"], wanted)][
            :number
        ]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with folder_in_memory(tmp_path_factory.mktemp("graph")) as folder:
        made = Shop(EdgeStore.create(folder / "index", SPACE, LIMITS))
        yield made
        made.store.close()


def queries(shop: Shop, number: int) -> list[Vector]:
    """Every other one like a stored picture, and like words: far from all of them."""
    random = np.random.default_rng(3)
    drawn = [
        shop.vectors[random.integers(len(shop.vectors))] + 0.05 * random.standard_normal(DIMENSION)
        if place % 2
        else random.standard_normal(DIMENSION)
        for place in range(number)
    ]
    return [np.asarray(vector / np.linalg.norm(vector), np.float32) for vector in drawn]


@pytest.mark.parametrize("name", WANTED)
def test_next_to_nothing_is_missed_under_any_filter(shop: Shop, name: str) -> None:
    wanted, found = WANTED[name], []
    for query in queries(shop, 40):
        best = shop.best(query, wanted, 10)
        answer = [match.product_id for match in shop.store.nearest("shop", query, wanted, limit=10)]
        assert all(matches(shop.payloads[product_id], wanted) for product_id in answer)
        assert len(answer) == len(best)
        found.append(len(set(answer) & set(best)) / len(best))
        exact = shop.store.nearest("shop", query, wanted, limit=10, exact=True)
        assert [match.product_id for match in exact] == best
    assert np.mean(found) >= 0.98


def test_what_is_too_much_to_be_compared_whole_is_found_by_looking_two_links_ahead(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph_walk, "WHOLE_POINTS", 0)
    for name in ("category", "category and stock", "price"):
        found = []
        for query in queries(shop, 40):
            answer = {match.product_id for match in shop.store.nearest("shop", query, WANTED[name], limit=10)}
            found.append(len(answer & set(shop.best(query, WANTED[name], 10))) / 10)
        assert np.mean(found) >= 0.98


@pytest.mark.parametrize("name", ["none", "in stock", "category", "two categories"])
def test_a_deeper_page_begins_with_the_shallower_ones(shop: Shop, name: str) -> None:
    for query in queries(shop, 4):
        deepest = shop.store.nearest("shop", query, WANTED[name], limit=600)
        assert len({match.product_id for match in deepest}) == len(deepest) == 600
        for limit in (1, 10, 24, 31, 32, 33, 100, 127, 128, 129, 300):
            assert shop.store.nearest("shop", query, WANTED[name], limit=limit) == deepest[:limit]


def test_there_is_a_graph_to_walk(shop: Shop) -> None:
    assert shop.store._shard.graph
    assert shop.store._shard.ask("info").indexed_vectors_count == POINTS
