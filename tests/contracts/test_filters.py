"""Any filter on any products: every vector store admits what `backend.domain.filters.matches` admits."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.domain.filters import Filter, matches
from backend.ports import VectorStore
from tests.contracts.vector_stores import KINDS, opened
from tests.unit.vectors.points import filters, point, products, tombstone, toward

# What the client's in-process mode warns of; a server has both.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant:UserWarning"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact:UserWarning"),
]

NORTH = toward(1.0)
NEVER = datetime(2100, 1, 1, tzinfo=UTC)
"""Later than any tombstone of a test."""

_numbers = itertools.count()


@pytest.fixture(scope="module", params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VectorStore]:
    """One store a kind for all examples: each is a merchant of its own."""
    with opened(request.param, tmp_path_factory.mktemp("store")) as it:
        yield it


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), wanted=filters())
def test_a_filter_admits_what_the_reference_admits(store: VectorStore, data: st.DataObject, wanted: Filter) -> None:
    admits_the_same(store, data, wanted)


@pytest.mark.slow
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), wanted=filters())
def test_five_hundred_more_filters_do(store: VectorStore, data: st.DataObject, wanted: Filter) -> None:
    admits_the_same(store, data, wanted)


def admits_the_same(store: VectorStore, data: st.DataObject, wanted: Filter) -> None:
    merchant = f"merchant-{next(_numbers)}"
    on_shelf = data.draw(products(merchant))
    written = [point(of, NORTH) for of in on_shelf]
    store.upsert(written)
    admitted = [each for each in written if matches(each.payload, wanted)]
    expected = [each.payload["product_id"] for each in sorted(admitted, key=lambda each: each.point_id)]
    assert [match.product_id for match in store.nearest(merchant, NORTH, wanted, limit=50)] == expected
    assert store.count_products(merchant, wanted) == len(expected)
    store.bury([tombstone(of) for of in on_shelf])
    store.purge_tombstones(NEVER)  # the next example need not walk over what is left of this one
