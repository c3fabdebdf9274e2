"""What a filter means, on plain values."""

import pytest

from backend.domain.filters import AnyOf, Between, Filter, Within, matches
from backend.domain.payload import product_payload
from backend.domain.product import Product, ProductKey, ancestors_of

DRESS = product_payload(
    Product(
        ProductKey("m", "p1"),
        category="clothing/dress",
        brand="Arden",
        in_stock=True,
        attributes={"color": ("red", "white"), "waterproof": False, "length": 90},
    ),
    version=1,
)


def test_a_category_matches_itself_and_everything_below_it() -> None:
    assert matches(DRESS, Filter((Within(("clothing",)),)))
    assert matches(DRESS, Filter((Within(("clothing/dress",)),)))


def test_a_category_does_not_match_its_lookalike() -> None:
    assert not matches(DRESS, Filter((Within(("clothing/dres",)),)))
    assert not matches(DRESS, Filter((Within(("clothing/dress/long",)),)))


def test_any_of_several_values_is_enough() -> None:
    assert matches(DRESS, Filter((AnyOf("brand", ("Corvo", "Arden")),)))
    assert not matches(DRESS, Filter((AnyOf("brand", ("Corvo",)),)))


def test_a_list_attribute_matches_by_any_of_its_entries() -> None:
    assert matches(DRESS, Filter((AnyOf("attributes.color", ("white",)),)))


def test_booleans_compare_with_booleans() -> None:
    assert matches(DRESS, Filter((AnyOf("in_stock", (True,)),)))
    assert matches(DRESS, Filter((AnyOf("attributes.waterproof", (False,)),)))


def test_a_flag_is_neither_a_number_nor_a_text() -> None:
    assert not matches(DRESS, Filter((AnyOf("attributes.waterproof", (0, "false", True)),)))
    assert not matches(DRESS, Filter((Between("attributes.waterproof", gte=0),)))
    assert not matches(DRESS, Filter((AnyOf("attributes.length", (True,)),)))


def test_a_number_never_equals_a_string() -> None:
    assert not matches(DRESS, Filter((AnyOf("attributes.length", ("90",)),)))


def test_a_product_without_the_number_is_outside_every_range_and_inside_its_negation() -> None:
    assert not matches(DRESS, Filter((Between("price", gte=0),)))
    assert matches(DRESS, Filter(must_not=(Between("price", gte=0),)))


@pytest.mark.parametrize(
    ("bounds", "inside"),
    [({"gte": 90}, True), ({"gt": 90}, False), ({"lte": 90}, True), ({"lt": 90}, False), ({"gte": 1, "lt": 91}, True)],
)
def test_bounds_are_open_or_closed_as_they_say(bounds: dict[str, float], inside: bool) -> None:
    assert matches(DRESS, Filter((Between("attributes.length", **bounds),))) is inside


def test_any_needs_one_branch_and_not_needs_none_of_its_items() -> None:
    arden, corvo = Filter((AnyOf("brand", ("Arden",)),)), Filter((AnyOf("brand", ("Corvo",)),))
    assert matches(DRESS, Filter(any_of=(corvo, arden)))
    assert not matches(DRESS, Filter(must_not=(corvo, arden)))
    assert not matches(DRESS, Filter(any_of=(corvo,)))


def test_an_empty_filter_matches_everything() -> None:
    assert matches(DRESS, Filter())


def test_ancestors_end_with_the_category_itself() -> None:
    assert ancestors_of("a/b/c") == ("a", "a/b", "a/b/c")
    assert ancestors_of("") == ()
