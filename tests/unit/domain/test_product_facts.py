"""The rules for a merchant's facts."""

from decimal import Decimal

import pytest

from backend.domain.product import ProductKey
from backend.domain.product_facts import (
    MAX_TITLE,
    category_of,
    merchant_of,
    patched,
    price_of,
    product_id_of,
    product_of,
)
from backend.errors import InvalidField, InvalidMerchant, UnknownField

KEY = ProductKey("m", "p1")


def test_a_price_keeps_its_decimals_exactly() -> None:
    assert price_of("19.99") == price_of(19.99) == Decimal("19.99")
    assert price_of("0.0001") == Decimal("0.0001")


@pytest.mark.parametrize(
    "price",
    [
        *(-1, "-0.01", float("nan"), float("inf"), "1e400", "NaN", "abc", "", "1.00001", True, [1], 10**12, 10**400),
        *("1e-999999999", "0e-999999999", "1e999999999", "1_0", "1 0", ".", "e5", "0x1", "9" * 10_000),
        *("1." + "0" * 40 + "1", "1e-30"),
    ],
)
def test_a_price_that_is_none_is_refused(price: object) -> None:
    with pytest.raises(ValueError, match=r"price|decimal"):
        price_of(price)


@pytest.mark.parametrize(
    ("given", "kept"),
    [(" +5. ", "5"), (".5", "0.5"), ("1e2", "100"), (5, "5"), ("1.00000", "1.0000"), ("0e-900", "0.0000")],
)
def test_a_price_may_be_written_as_decimals_are(given: object, kept: str) -> None:
    assert str(price_of(given)) == kept


def test_an_integer_of_thousands_of_digits_is_refused_by_its_field() -> None:
    for facts in ({"price": 10**5_000}, {"attributes": {"a": 10**5_000}}):
        with pytest.raises(InvalidField) as caught:
            product_of(KEY, facts, default_currency="EUR")
        assert caught.value.errors[0].field == next(iter(facts))


def test_minus_zero_is_zero() -> None:
    assert str(price_of("-0")) == "0"


@pytest.mark.parametrize(
    ("given", "kept"), [("/clothing/dress/", "clothing/dress"), (" a / b ", "a/b"), ("", ""), ("/", "")]
)
def test_a_category_is_normalised(given: str, kept: str) -> None:
    assert category_of(given) == kept


@pytest.mark.parametrize("category", ["a/../b", "..", "a//b", "./a", "a/" * 11 + "a", "x" * 256, "a\x00b", 5])
def test_a_category_that_climbs_or_breaks_is_refused(category: object) -> None:
    with pytest.raises(ValueError, match=r"categor|characters|string"):
        category_of(category)


@pytest.mark.parametrize("product_id", ["a", "CLO-06a00c0f", "a.b_c:d+e@f~g", "0" * 128])
def test_ordinary_ids_pass_unchanged(product_id: str) -> None:
    assert product_id_of(product_id) == product_id


@pytest.mark.parametrize("product_id", ["", "a" * 300, "a b", "a/b", "..", "-a", "ü", "a\n", None, 7])
def test_other_ids_are_refused_by_their_field(product_id: object) -> None:
    with pytest.raises(InvalidField) as caught:
        product_id_of(product_id)
    assert caught.value.errors[0].field == "product_id"


def test_everything_wrong_is_said_at_once() -> None:
    facts = {
        "title": "x" * (MAX_TITLE + 1),
        "price": -1,
        "category": "a/../b",
        "attributes": {"a b": 1},
        "in_stock": "yes",
    }
    with pytest.raises(InvalidField) as caught:
        product_of(KEY, facts, default_currency="EUR")
    assert [item.field for item in caught.value.errors] == ["title", "category", "price", "in_stock", "attributes"]


def test_an_unknown_fact_is_refused_by_name() -> None:
    with pytest.raises(UnknownField) as caught:
        product_of(KEY, {"colour": "red"}, default_currency="EUR")
    assert caught.value.errors[0].field == "colour"


def test_a_priced_product_gets_the_default_currency_and_an_unpriced_one_none() -> None:
    assert product_of(KEY, {"price": 1}, default_currency="CHF").currency == "CHF"
    assert product_of(KEY, {"price": 1, "currency": "usd"}, default_currency="CHF").currency == "USD"
    assert product_of(KEY, {}, default_currency="CHF").currency is None


def test_a_product_keeps_its_currency_while_it_has_no_price() -> None:
    priced = product_of(KEY, {"price": 1, "currency": "USD"}, default_currency="EUR")
    unpriced = patched(priced, {"price": None}, default_currency="EUR")
    assert (unpriced.price, unpriced.currency) == (None, "USD")
    assert patched(unpriced, {"price": "12"}, default_currency="EUR").currency == "USD"
    assert patched(unpriced, {"currency": None}, default_currency="EUR").currency is None
    assert patched(unpriced, {"currency": "CHF"}, default_currency="EUR").currency == "CHF"
    assert product_of(KEY, {"currency": "USD"}, default_currency="EUR").currency == "USD"


def test_facts_survive_the_round_trip() -> None:
    product = product_of(
        KEY, {"title": "A", "price": "5.50", "attributes": {"sizes": ["S", "M"], "new": True}}, default_currency="EUR"
    )
    assert patched(product, {}, default_currency="EUR") == product


def test_a_patch_replaces_removes_and_merges() -> None:
    product = product_of(
        KEY, {"title": "A", "price": "5.50", "attributes": {"color": "red", "size": "S"}}, default_currency="EUR"
    )
    patch = {"title": "B", "price": None, "attributes": {"color": None, "cut": "slim"}}
    changed = patched(product, patch, default_currency="EUR")
    assert (changed.title, changed.price, changed.currency) == ("B", None, "EUR")
    assert changed.attributes == {"size": "S", "cut": "slim"}


@pytest.mark.parametrize(
    "attributes",
    [
        {"a": float("nan")},
        {"a": {"b": 1}},
        {"a": [1]},
        {"a": 2**60},
        {"a": -(10**400)},
        {"a": 1e300},
        {"a": "\ud800"},
        [1],
    ],
)
def test_attributes_no_engine_could_filter_by_are_refused(attributes: object) -> None:
    with pytest.raises(InvalidField):
        product_of(KEY, {"attributes": attributes}, default_currency="EUR")


@pytest.mark.parametrize("merchant", ["", "a b", "a/b", "x" * 65, "ü"])
def test_a_merchant_has_a_plain_name(merchant: str) -> None:
    with pytest.raises(InvalidMerchant):
        merchant_of(merchant)
