"""The embedded index at a size where the engine's codes, segments and compact payload indexes are all in use."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from backend.domain.filters import AnyOf, Between, Filter, matches
from backend.domain.payload import Payload, point_id
from backend.domain.picture import Vector
from backend.domain.product import Product, ProductKey
from backend.ports import Space
from backend.vectors.edge_limits import EdgeLimits
from backend.vectors.edge_store import EdgeStore
from tests.factories import product
from tests.unit.vectors.points import CATEGORIES, NAMES, PRICES, WORDS, clustered, filters, point

pytestmark = pytest.mark.slow

DIMENSION = 512
POINTS = 5_600  # the engine optimizes from 10,000 kB of vectors: 5,000 of 512 dimensions
LATER = 600  # written after it was optimized, so that there are two kinds of segments
PER_PRODUCT = 4


class Shop:
    """An index, and what is in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.vectors = clustered(1, POINTS, DIMENSION)
        self.vectors[40::10] = self.vectors[0]  # one placeholder picture under hundreds of products: exact ties
        self.payloads: dict[str, Payload] = {}
        random = np.random.default_rng(2)
        written = []
        drawn: dict[str, Product] = {}
        for number, vector in enumerate(self.vectors):
            name = f"p{number // PER_PRODUCT:04}"
            if name not in drawn:
                drawn[name] = product(
                    name,
                    category=str(random.choice(["", *CATEGORIES])),
                    brand=str(random.choice(["", "Arden", "Corvo"])),
                    price=Decimal(str(random.choice(PRICES))) if random.random() < 0.8 else None,
                    in_stock=bool(random.random() < 0.5),
                    attributes={str(random.choice(NAMES)): str(random.choice(WORDS)), "size": float(number % 7)},
                )
            written.append(point(drawn[name], vector, f"picture {number}"))
            self.payloads[name] = written[-1].payload
        EdgeStore.create(path, Space("test-encoder", DIMENSION, "b" * 64)).close()
        first = EdgeStore.open(path)
        first.upsert(written[:-LATER])
        first.close()
        self.segments_before = self.segments()
        EdgeStore.open(path, EdgeLimits(optimize_points=POINTS - LATER - 1)).close()
        self.segments_above_the_limit = self.segments()
        self.store = EdgeStore.open(path, EdgeLimits(optimize_points=POINTS - LATER))
        self.segments_after = self.segments()
        self.store.upsert(written[-LATER:])

    def segments(self) -> set[str]:
        return {segment.name for segment in (self.path / "shard" / "segments").iterdir()}

    def scores(self, query: Vector) -> dict[str, float]:
        """Every product's score by brute force."""
        exact = self.vectors.astype(np.float64) @ query.astype(np.float64)
        best = exact.reshape(-1, PER_PRODUCT).max(axis=1)
        return {f"p{number:04}": float(score) for number, score in enumerate(best)}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    made = Shop(tmp_path_factory.mktemp("scale") / "index")
    yield made
    made.store.close()


def queries(shop: Shop) -> list[Vector]:
    """Like stored pictures, like the placeholder, and like words: far from all of them."""
    random = np.random.default_rng(3)
    near = [shop.vectors[number] + 0.02 * random.standard_normal(DIMENSION) for number in (7, 1234, 5555)]
    far = [random.standard_normal(DIMENSION) for _ in range(3)]
    drawn = [shop.vectors[0], *near, *far]
    return [np.asarray(vector / np.linalg.norm(vector), np.float32) for vector in drawn]


def test_an_index_is_optimized_when_it_is_opened_and_not_above_its_limit(shop: Shop) -> None:
    assert shop.segments_above_the_limit == shop.segments_before
    assert shop.segments_after != shop.segments_before
    assert (shop.store.count(), shop.store.missing_points) == (POINTS, 0)


WANTED = [Filter(), Filter(must=(AnyOf("in_stock", (True,)), Between("price", gte=1, lt=1000)))]


@pytest.mark.parametrize("wanted", WANTED, ids=["unfiltered", "filtered"])
def test_nothing_is_missed_nothing_is_out_of_order_and_pages_are_exact(shop: Shop, wanted: Filter) -> None:
    within = {name for name, payload in shop.payloads.items() if matches(payload, wanted)}
    for query in queries(shop):
        truth = {name: score for name, score in shop.scores(query).items() if name in within}
        deepest = shop.store.nearest("shop", query, wanted, limit=1000)
        names = [match.product_id for match in deepest]
        assert len(names) == len(set(names)) == min(1000, len(truth))
        assert [match.score for match in deepest] == pytest.approx([truth[name] for name in names], abs=1e-5)
        in_order = [(-match.score, point_id(ProductKey("shop", match.product_id), "0" * 64)) for match in deepest]
        assert in_order == sorted(in_order)
        missed = [score for name, score in truth.items() if name not in set(names)]
        assert not missed or max(missed) <= deepest[-1].score + 1e-5
        for limit in (1, 24, 100, 127, 128, 129, 512, 999):
            assert shop.store.nearest("shop", query, wanted, limit=limit) == deepest[:limit]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(wanted=filters())
def test_compact_payload_indexes_admit_what_the_reference_admits(shop: Shop, wanted: Filter) -> None:
    found = {match.product_id for match in shop.store.nearest("shop", shop.vectors[0], wanted, limit=2000)}
    assert found == {name for name, payload in shop.payloads.items() if matches(payload, wanted)}
