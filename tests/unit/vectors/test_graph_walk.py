"""Which way a shard with a graph is searched."""

import pytest

from backend.domain.filters import AnyOf, Between, Filter, Within
from backend.vectors.graph_walk import Way, lies_anywhere, walk_width, way_of


@pytest.mark.parametrize(
    ("kept", "points", "way"),
    [
        (300_000, 300_000, Way.WALK),
        (120_000, 300_000, Way.WALK),  # dense enough
        (119_999, 300_000, Way.FAR_WALK),
        (100_000, 300_000, Way.WHOLE),
        (25_001, 300_000, Way.WHOLE),
        (25_000, 300_000, Way.WALK),  # which the engine does not do, for so few
        (0, 300_000, Way.WALK),
        (100_001, 1_000_000, Way.FAR_WALK),
        (0, 0, Way.WALK),
    ],
)
def test_what_is_neither_few_nor_dense_is_not_left_to_a_plain_walk(kept: int, points: int, way: Way) -> None:
    assert way_of(kept=kept, points=points, scan_points=25_000, anywhere=False) is way


def test_what_lies_everywhere_is_dense_enough_at_a_fifth() -> None:
    assert way_of(kept=60_000, points=300_000, scan_points=25_000, anywhere=True) is Way.WALK
    assert way_of(kept=59_999, points=300_000, scan_points=25_000, anywhere=True) is Way.WHOLE


STOCK, PRICE, DRESS = AnyOf("in_stock", (1,)), Between("price", lt=20), Within(("clothing/dress",))


@pytest.mark.parametrize(
    ("wanted", "anywhere"),
    [
        (Filter(), True),
        (Filter(must=(STOCK, PRICE, AnyOf("currency", ("EUR",)))), True),
        (Filter(must=(STOCK,), must_not=(PRICE,)), True),
        (Filter(must=(DRESS,)), False),
        (Filter(must=(STOCK, DRESS)), False),
        (Filter(must=(AnyOf("attributes.colour", ("red",)),)), False),
        (Filter(must_not=(DRESS,)), False),
        (Filter(any_of=(Filter(must=(STOCK,)),)), False),
        (Filter(must_not=(Filter(must=(STOCK,)),)), False),
    ],
)
def test_stock_and_prices_have_nothing_to_do_with_looks(wanted: Filter, anywhere: bool) -> None:
    assert lies_anywhere(wanted) is anywhere


def test_where_links_are_coarse_the_walk_is_wider() -> None:
    assert walk_width(points=100_000, scan_points=25_000) == 1_024
    assert walk_width(points=150_000, scan_points=25_000) == 384
