"""Filters in an engine's words. A dialect of plain text shows what an engine is told."""

import ast
import operator
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.filters import AnyOf, Between, Filter, Within
from backend.vectors.filters import in_dialect, not_newer, of_merchant, of_product, older
from tests.factories import key


class Text:
    """The words as text."""

    def matching(self, field: str, values: list[str] | list[int]) -> str:
        return f"{field} in {values}"

    def between(self, wanted: Between) -> str:
        bounds = {"gte": wanted.gte, "gt": wanted.gt, "lte": wanted.lte, "lt": wanted.lt}
        return f"{wanted.field} within { ({name: bound for name, bound in bounds.items() if bound is not None}) }"

    def nothing(self) -> str:
        return "nothing"

    def group(self, must: Sequence[str] = (), any_of: Sequence[str] = (), must_not: Sequence[str] = ()) -> str:
        parts = [
            *(["all of " + ", ".join(must)] if must else []),
            *(["any of " + ", ".join(any_of)] if any_of else []),
            *(["none of " + ", ".join(must_not)] if must_not else []),
        ]
        return "(" + "; ".join(parts) + ")"


def told(*must: AnyOf | Within | Between) -> str:
    return in_dialect(Filter(must=must), Text())


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (AnyOf("brand", ("Arden", "Corvo")), "brand in ['Arden', 'Corvo']"),
        (AnyOf("in_stock", (True,)), "in_stock in [1]"),
        (AnyOf("in_stock", (False, 1.0)), "in_stock in [0, 1]"),
        (AnyOf("attributes.colour", ("red", "")), "attribute_terms in ['colour=red', 'colour=']"),
        (AnyOf("attributes.washable", (True,)), "attribute_terms in ['washable!true']"),
        (AnyOf("attributes.weight", (3.0, 0.1)), "attribute_numbers in ['weight=3', 'weight=0.1']"),
        (
            Between("attributes.weight", gt=3),
            "(all of attribute_numbers in ['weight'], attributes.weight within {'gt': 3.0})",
        ),
        (AnyOf("price", (0.1,)), "price within {'gte': 0.1, 'lte': 0.1}"),
        (AnyOf("price", (2**53 + 1,)), f"price in [{2**53 + 1}]"),
        (AnyOf("price", (2**70,)), f"price within {{'gte': {2.0**70}, 'lte': {2.0**70}}}"),
        (AnyOf("brand", ()), "nothing"),
        (AnyOf("price", (float("nan"),)), "nothing"),
        (Within(("shoes", "clothing/dress")), "categories in ['shoes', 'clothing/dress']"),
        (Within(()), "nothing"),
        (Between("price", gte=20, lt=80.5), "price within {'gte': 20.0, 'lt': 80.5}"),
        (Between("price", lt=float("inf")), "price within {'lt': 1.7976931348623157e+308}"),
        (Between("price", gte=float("nan")), "nothing"),
    ],
)
def test_a_condition_is_told_as(condition: AnyOf | Within | Between, words: str) -> None:
    assert told(condition) == f"(all of {words})"


def test_words_and_numbers_of_one_condition_are_alternatives() -> None:
    assert told(AnyOf("attributes.size", ("m", 38, 38.5))) == (
        "(all of (any of attribute_terms in ['size=m'], attribute_numbers in ['size=38', 'size=38.5']))"
    )


def test_branches_and_refusals_are_told_as_groups() -> None:
    arden, cheap = AnyOf("brand", ("Arden",)), Between("price", lt=10)
    wanted = Filter(must=(arden,), any_of=(Filter(must=(cheap,)), Filter()), must_not=(cheap, Filter(must=(arden,))))
    assert in_dialect(wanted, Text()) == (
        "(all of brand in ['Arden']; any of (all of price within {'lt': 10.0}), (); "
        "none of price within {'lt': 10.0}, (all of brand in ['Arden']))"
    )


def test_a_search_is_always_within_its_merchant() -> None:
    wanted = Filter(any_of=(Filter(must=(AnyOf("merchant", ("other",)),)),))
    assert in_dialect(of_merchant("shop", wanted), Text()).startswith("(all of merchant in ['shop']; any of ")


def test_excluded_products_are_refused_beside_what_the_filter_refuses() -> None:
    words = in_dialect(of_merchant("shop", Filter(must_not=(Within(("shoes",)),)), ["a", "b"]), Text())
    assert words == "(all of merchant in ['shop']; none of categories in ['shoes'], product_id in ['a', 'b'])"


def test_nothing_excluded_adds_no_condition() -> None:
    assert in_dialect(of_merchant("shop", Filter()), Text()) == "(all of merchant in ['shop'])"


def test_a_product_is_named_with_its_merchant() -> None:
    assert in_dialect(of_product(key("a")), Text()) == "(all of merchant in ['shop'], product_id in ['a'])"
    words = in_dialect(of_product(key("a"), older_than=5), Text())
    assert words == "(all of merchant in ['shop'], product_id in ['a'], version within {'lt': 5.0})"


def test_a_tombstone_may_replace_its_own_version_and_a_point_may_not() -> None:
    assert in_dialect(older(5), Text()) == "(all of version within {'lt': 5.0})"
    assert in_dialect(not_newer(5), Text()) == "(all of version within {'lte': 5.0})"


def test_every_bound_told_is_a_finite_number() -> None:
    words = told(Between("price", gte=float("-inf"), gt=-(10**400), lte=10**400, lt=float("inf")))
    bounds = ast.literal_eval(words.removeprefix("(all of price within ").removesuffix(")"))
    assert {abs(bound) for bound in bounds.values()} == {1.7976931348623157e308}


@given(
    side=st.sampled_from(["gte", "gt", "lte", "lt"]),
    bound=st.integers(-(2**70), 2**70) | st.integers(-4, 4).map(lambda near: 2**53 + near),
    near=st.integers(-3, 3),
)
def test_a_whole_number_as_a_bound_admits_the_same_numbers_though_it_is_no_double(
    side: str, bound: int, near: int
) -> None:
    words = told(Between("price", **{side: bound}))
    ((name, double),) = ast.literal_eval(words.removeprefix("(all of price within ").removesuffix(")")).items()
    compare = {"gte": operator.ge, "gt": operator.gt, "lte": operator.le, "lt": operator.lt}[side]
    stored = float(bound + near)
    assert (name, isinstance(double, float)) == (side, True)
    assert compare(stored, double) == compare(stored, bound)
