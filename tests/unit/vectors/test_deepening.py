"""The list of products does not depend on how many are asked for, however bad the engine's rough scores are."""

import math
import uuid
from collections.abc import Sequence

import numpy as np
import pytest

from backend.domain.payload import Payload, product_part
from backend.domain.query import Match
from backend.vectors.deepening import GRAPH_TIERS, TIERS, Hit, Tier, best_products, matches_of


def identified(product: int, picture: int) -> uuid.UUID:
    """The id of a point: such ids are in the order of products, then of pictures."""
    return uuid.UUID(int=int(product) << 48 | int(picture))


class Engine:
    """Finds points as an engine does: candidates by a rough score, the best of them by the true one."""

    def __init__(self, products: Sequence[int], scores: Sequence[float], error: float = 0.0) -> None:
        rough = np.asarray(scores) + error * np.random.default_rng(1).standard_normal(len(scores))
        self._by_rough = np.argsort(-rough, kind="stable")
        self._hits = [
            Hit(identified(product, number), score)
            for number, (product, score) in enumerate(zip(products, scores, strict=True))
        ]
        self.asked: list[tuple[int, int]] = []

    def fetch(self, number: int, candidates: int) -> list[Hit]:
        assert number <= candidates
        self.asked.append((number, candidates))
        admitted = [self._hits[place] for place in self._by_rough[:candidates]]
        return sorted(admitted, key=lambda hit: -hit.score)[:number]

    def truth(self) -> list[int]:
        best: dict[int, float] = {}
        for hit in self._hits:
            name = product_part(hit.point_id)
            best[name] = max(best.get(name, -math.inf), hit.score)
        return sorted(best, key=lambda name: (-best[name], name))


def ids(hits: Sequence[Hit]) -> list[int]:
    return [product_part(hit.point_id) for hit in hits]


def named(*products: int) -> list[int]:
    return [product_part(identified(product, 0)) for product in products]


def shop(seed: int, products: int, pictures: int) -> tuple[list[int], list[float]]:
    random = np.random.default_rng(seed)
    return list(random.integers(0, products, products * pictures)), list(random.standard_normal(products * pictures))


@pytest.mark.parametrize(("products", "pictures"), [(3000, 1), (1500, 4), (1100, 16), (20, 3), (1, 1)])
def test_with_true_rough_scores_every_depth_is_exact(products: int, pictures: int) -> None:
    engine = Engine(*shop(2, products, pictures))
    for limit in (1, 24, 128, 129, 500, 1000, 1025, 5000):
        assert ids(best_products(engine.fetch, limit)) == engine.truth()[:limit]


@pytest.mark.parametrize("tiers", [TIERS, GRAPH_TIERS], ids=["codes", "graph"])
def test_a_deeper_call_begins_with_the_shallower_one_even_when_candidates_were_missed(tiers: Sequence[Tier]) -> None:
    engine = Engine(*shop(3, 2000, 3), error=1.0)
    deepest = ids(best_products(engine.fetch, 700, tiers))
    assert deepest != engine.truth()[:700], "the error is too small for this test to mean anything"
    assert len(set(deepest)) == 700
    for limit in range(1, 700, 7):
        assert ids(best_products(engine.fetch, limit, tiers)) == deepest[:limit]


def test_ties_are_ordered_by_the_ids_of_points_across_the_edge_of_what_was_fetched() -> None:
    products = list(np.random.default_rng(4).permutation(3000))
    engine = Engine(products, [round(1.0 - (product // 700) / 10, 1) for product in products])
    for limit in (1, 24, 127, 128, 129, 1000):
        assert ids(best_products(engine.fetch, limit)) == named(*range(limit))


@pytest.mark.parametrize(("tiers", "queries"), [(TIERS, 3), (GRAPH_TIERS, 3)], ids=["codes", "graph"])
def test_a_placeholder_of_thousands_of_products_costs_a_page_few_queries(tiers: Sequence[Tier], queries: int) -> None:
    products = list(np.random.default_rng(7).permutation(50_000))
    engine = Engine(products, [0.9 if product < 10 else 0.5 for product in products])
    first = best_products(engine.fetch, 24, tiers)
    assert ids(first[:10]) == named(*range(10))
    assert ids(first[10:]) == sorted(ids(first[10:]))
    assert len(engine.asked) <= queries


@pytest.mark.parametrize("tiers", [TIERS, GRAPH_TIERS], ids=["codes", "graph"])
def test_pages_of_products_that_share_a_placeholder_neither_repeat_nor_skip_one(tiers: Sequence[Tier]) -> None:
    engine = Engine(list(np.random.default_rng(8).permutation(30_000)), [0.5] * 30_000, error=1.0)
    deepest = ids(best_products(engine.fetch, 1_000, tiers))
    assert len(set(deepest)) == 1_000
    for limit in (1, 24, 32, 33, 128, 129, 500, 999):
        engine.asked.clear()
        assert ids(best_products(engine.fetch, limit, tiers)) == deepest[:limit]
        assert sum(number for number, _ in engine.asked) <= 3 * tiers[-1].candidates
        assert len(engine.asked) <= 3 * len(tiers)


def test_of_equal_pictures_the_same_one_decides_every_time() -> None:
    engine = Engine([1, 1, 1, 2], [0.5, 0.9, 0.9, 0.1])
    assert best_products(engine.fetch, 1)[0].point_id == identified(1, 1)
    assert best_products(engine.fetch, 2)[0].point_id == identified(1, 1)


def test_products_end_when_points_do() -> None:
    engine = Engine([1, 2, 2], [0.1, 0.2, 0.3])
    assert ids(best_products(engine.fetch, 1000)) == named(2, 1)
    assert len(engine.asked) == 1


def test_an_empty_index_has_no_products() -> None:
    assert best_products(Engine([], []).fetch, 10) == []


def test_nothing_wanted_asks_nothing() -> None:
    engine = Engine([1], [0.1])
    assert best_products(engine.fetch, 0) == []
    assert engine.asked == []


def test_a_first_page_walks_a_graph_narrowly_and_a_later_one_wider() -> None:
    engine = Engine(*shop(5, 5000, 3))
    best_products(engine.fetch, 24, GRAPH_TIERS)
    best_products(engine.fetch, 48, GRAPH_TIERS)
    assert [candidates for _, candidates in engine.asked] == [256, 256, 2048]


@pytest.mark.parametrize(("limit", "number"), [(24, 128), (100, 512)])
def test_an_ordinary_page_costs_one_query(limit: int, number: int) -> None:
    engine = Engine(*shop(5, 5000, 3))
    best_products(engine.fetch, limit)
    assert engine.asked == [(number, TIERS[0].candidates)]


def test_a_product_with_more_pictures_than_a_depth_holds_is_passed() -> None:
    pictures = 3 * TIERS[0].candidates
    engine = Engine([1] * pictures + [2, 3], [1.0 - number / 1e6 for number in range(pictures)] + [0.5, 0.4])
    assert ids(best_products(engine.fetch, 3)) == named(1, 2, 3)


def test_a_point_removed_or_buried_since_it_was_found_is_left_out() -> None:
    one, two, three = (uuid.UUID(int=number) for number in (1, 2, 3))
    hits = [Hit(one, 0.9), Hit(two, 0.8), Hit(three, 0.7)]
    there: Payload = {"product_id": "b", "image": "f00"}
    (match,) = matches_of(hits, {two: {**there, "price": None}, three: {"version": 2, "buried_at": 1.0}})
    assert match == Match("b", 0.8, "f00", there)


def test_the_oversampling_an_engine_is_asked_for_is_a_power_of_two() -> None:
    """Then candidates / number * number is exact in a double, and the candidates are as many at every number."""
    engine = Engine(*shop(6, 4000, 2))
    for limit in (1, 3, 24, 77, 1000):
        best_products(engine.fetch, limit)
    assert all((candidates / number).hex().startswith("0x1.0000000000000p+") for number, candidates in engine.asked)
