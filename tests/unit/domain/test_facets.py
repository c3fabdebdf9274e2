"""Counts and price ranges."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.facets import MAX_RANGES, MAX_VALUES, counted_in, price_edges, prices_in, shown, terms_of
from backend.domain.payload import Payload, product_payload
from backend.domain.query import Counted
from tests.factories import product


@pytest.mark.parametrize(
    ("least", "greatest", "edges"),
    [
        (9, 45, [5, 10, 15, 20, 25, 30, 35, 40, 45]),
        (0.5, 3, [0.5, 1, 1.5, 2, 2.5, 3]),
        (349, 1299, [300, 400, 500, 600, 700, 800, 900, 1000, 1100, 1200, 1300]),
        (5, 1299, [0, 10, 20, 50, 100, 200, 500, 1000, 2000]),
        (0, 80, [0, 0.5, 1, 2, 5, 10, 20, 50, 100]),
        (19.99, 19.99, [19.9, 20]),
        (0, 0, [0, 1]),
    ],
)
def test_price_ranges_have_round_bounds_and_grow_where_prices_differ_much(
    least: float, greatest: float, edges: list[float]
) -> None:
    assert price_edges(least, greatest) == edges


_prices = st.floats(0, 999_999_999, allow_nan=False).map(lambda price: round(price, 4))


@given(prices=st.lists(_prices, min_size=1, max_size=20))
def test_every_price_lies_in_exactly_one_range(prices: list[float]) -> None:
    edges = price_edges(min(prices), max(prices))
    assert 2 <= len(edges) <= MAX_RANGES + 1
    assert edges[0] <= min(prices)
    assert edges[-1] >= max(prices)
    assert all(low < high for low, high in pairwise(edges))
    payloads = [{"price": price, "currency": "EUR"} for price in prices]
    assert sum(each.products for each in prices_in(payloads, "EUR")) == len(prices)


def test_prices_of_other_currencies_are_not_counted() -> None:
    payloads: list[Payload] = [{"price": 5.0, "currency": "USD"}, {"price": 7.0}, {}]
    assert prices_in(payloads, "EUR") == []
    assert prices_in([*payloads, {"price": 7.0, "currency": "EUR"}], "EUR")[0].products == 1


PAYLOADS = [
    product_payload(product("a", category="clothing/dress", attributes={"colour": "red", "sizes": ("s", "m")}), 1),
    product_payload(product("b", category="clothing/coat", attributes={"colour": "red", "new": True}), 1),
    product_payload(product("c", category="", brand="", in_stock=False, attributes={"colour": 5, "new": False}), 1),
]


@pytest.mark.parametrize(
    ("facet", "counts"),
    [
        ("category", [("clothing", 2), ("clothing/coat", 1), ("clothing/dress", 1)]),
        ("brand", [("Arden", 2)]),
        ("currency", [("EUR", 3)]),
        ("in_stock", [(True, 2), (False, 1)]),
        ("attributes.colour", [("red", 2)]),
        ("attributes.sizes", [("m", 1), ("s", 1)]),
        ("attributes.new", [(False, 1), (True, 1)]),
        ("attributes.absent", []),
    ],
)
def test_products_are_counted_by_each_of_their_values(facet: str, counts: list[tuple[str | int, int]]) -> None:
    assert counted_in(facet, PAYLOADS) == counts


def test_terms_of_one_attribute_are_its_values() -> None:
    terms = [Counted("new!true", 4), Counted("colour=red", 3), Counted("colour=a=b", 2), Counted("colours=x", 1)]
    assert terms_of("colour", terms) == [("red", 3), ("a=b", 2)]
    assert terms_of("new", terms) == [(True, 4)]
    assert terms_of("ne", terms) == []


def test_no_facet_lists_more_than_can_be_chosen_from() -> None:
    assert len(shown("brand", [Counted(f"b{number}", 1) for number in range(500)])) == MAX_VALUES
