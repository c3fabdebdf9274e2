"""A filter by category and price asks for shelves, and means what it meant before."""

from hypothesis import example, given
from hypothesis import strategies as st

from backend.domain.filters import AnyOf, Between, Filter, Within, matches
from backend.domain.product import ancestors_of
from backend.domain.shelves import FIELD, MOST_SHELVES, by_shelves, shelves_of

CATEGORIES = ("clothing", "clothing/dress", "clothing/dress/long", "clothing/dressing", "shoes")
PRICES = st.floats(0, 1e7, allow_subnormal=False) | st.integers(0, 10**7).map(lambda cents: cents / 100)


def on_shelf(category: str, price: float | None) -> dict[str, object]:
    categories = list(ancestors_of(category))
    return {"categories": categories, "price": price, FIELD: shelves_of(categories, price)}


def dresses(**prices: float) -> Filter:
    return Filter(must=(AnyOf("brand", ("acme",)), Within(("clothing/dress",)), Between("price", **prices)))


@given(
    category=st.sampled_from(CATEGORIES),
    price=st.none() | PRICES,
    within=st.lists(st.sampled_from(CATEGORIES), min_size=1, max_size=3),
    low=st.none() | PRICES,
    wide=PRICES,
    closed=st.booleans(),
)
@example(category="shoes", price=0.0, within=["shoes"], low=None, wide=0.0, closed=True)
@example(category="shoes", price=7.0, within=["shoes"], low=7.0, wide=0.0, closed=True)
def test_it_admits_what_category_and_price_admit(
    category: str, price: float | None, within: list[str], low: float | None, wide: float, closed: bool
) -> None:
    high = (low or 0.0) + wide
    range_of = Between("price", gte=low, lte=high) if closed else Between("price", gt=low, lt=high)
    wanted = Filter(must=(Within(tuple(within)), range_of))
    facts = on_shelf(category, price)
    assert matches(facts, by_shelves(wanted)) == matches(facts, wanted)


def test_the_range_stays_and_the_category_becomes_few_shelves_in_its_place() -> None:
    brand, shelves, prices = by_shelves(dresses(gte=20.0, lte=30.0)).must
    assert (brand, prices) == (AnyOf("brand", ("acme",)), Between("price", gte=20.0, lte=30.0))
    assert isinstance(shelves, AnyOf)
    assert (shelves.field, len(shelves.values)) == (FIELD, 6)


def test_hardly_anything_on_them_lies_outside_of_the_range() -> None:
    wanted = by_shelves(dresses(gte=20.0, lte=30.0)).must[1]
    touched = [
        price / 10 for price in range(1000) if matches(on_shelf("clothing/dress", price / 10), Filter((wanted,)))
    ]
    assert 18.0 < min(touched) <= 20.0
    assert 30.0 <= max(touched) < 32.5


def test_every_shelf_of_a_range_is_one_number_that_an_engine_can_match() -> None:
    numbers = {number for price in range(2_000) for number in shelves_of(CATEGORIES, float(price))}
    assert len(numbers) == len(CATEGORIES) * len({tuple(shelves_of(["a"], float(price))) for price in range(2_000)})
    assert all(0 <= number < 2**63 for number in numbers)


def test_a_range_without_an_end_and_one_of_too_many_shelves_keep_the_category() -> None:
    for wanted in (
        dresses(gte=20.0),
        dresses(gte=20.0, lte=float("inf")),
        dresses(gte=0.01, lte=1e6),
        dresses(lte=10**400),
    ):
        assert by_shelves(wanted) == wanted
    assert MOST_SHELVES < 8 * 26


def test_what_has_no_category_or_no_price_is_left_as_it_is() -> None:
    for wanted in (
        Filter(),
        Filter(must=(Within(("shoes",)),)),
        Filter(must=(Between("price", lte=3.0),)),
        Filter(must=(Within(()), Between("price", lte=3.0))),
        Filter(must=(Within(("shoes",)), Between("added_at", lte=3.0))),
        Filter(any_of=(dresses(lte=3.0),)),
        dresses(gte=float("nan"), lte=3.0),
        dresses(gte=5.0, lte=3.0),
    ):
        assert by_shelves(wanted) == wanted


def test_a_product_without_a_price_stands_nowhere() -> None:
    assert shelves_of(CATEGORIES, None) == []
