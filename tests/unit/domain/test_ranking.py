"""Sorting, thinning out and voting over the best matches."""

import numpy as np
import pytest

from backend.domain.payload import Payload
from backend.domain.picture import Vector
from backend.domain.query import Match, Sort
from backend.domain.ranking import VOTERS, diversified, sorted_by, vote_of, without_duplicates


def match(product_id: str, **payload: object) -> Match:
    return Match(product_id, 0.5, f"picture of {product_id}", payload)


def priced(product_id: str, price: float | None, currency: str = "EUR") -> Match:
    facts: Payload = {} if price is None else {"price": price, "currency": currency}
    return match(product_id, **facts)


def ids(matches: list[Match]) -> list[str]:
    return [item.product_id for item in matches]


def at(degrees: float) -> Vector:
    angle = np.radians(degrees)
    return np.array([np.cos(angle), np.sin(angle)], np.float32)


def shown(matches: list[Match], *degrees: float) -> dict[str, Vector]:
    return {item.content_hash: at(angle) for item, angle in zip(matches, degrees, strict=False)}


# --- sorting ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        (Sort.RELEVANCE, ["dear", "none", "cheap", "dollars", "even"]),
        (Sort.PRICE_ASC, ["cheap", "even", "dear", "none", "dollars"]),
        (Sort.PRICE_DESC, ["dear", "cheap", "even", "none", "dollars"]),
    ],
)
def test_prices_are_sorted_in_one_currency_and_whoever_has_none_there_is_last(sort: Sort, expected: list[str]) -> None:
    matches = [
        priced("dear", 90), priced("none", None), priced("cheap", 5), priced("dollars", 1, "USD"), priced("even", 5),
    ]  # fmt: skip
    assert ids(sorted_by(matches, sort, "EUR")) == expected


def test_the_newest_is_first_and_what_has_no_date_last() -> None:
    matches = [match("old", added_at=1.0), match("undated"), match("new", added_at=9.0)]
    assert ids(sorted_by(matches, Sort.NEWEST, "EUR")) == ["new", "old", "undated"]


# --- near duplicates --------------------------------------------------------------------------------------------------


def test_the_first_of_near_duplicates_stays_and_names_the_others() -> None:
    matches = [match(name) for name in ("a", "b", "c", "d", "e")]
    kept, suppressed = without_duplicates(matches, shown(matches, 0, 1, 90, 2, 91), threshold=0.99)
    assert ids(kept) == ["a", "c"]
    assert suppressed == {"a": ("b", "d"), "c": ("e",)}


def test_who_resembles_a_duplicate_but_not_the_one_that_stays_is_none() -> None:
    matches = [match(name) for name in ("a", "b", "c")]
    kept, suppressed = without_duplicates(matches, shown(matches, 0, 10, 20), threshold=0.98)
    assert ids(kept) == ["a", "c"]
    assert suppressed == {"a": ("b",)}


def test_a_match_whose_picture_is_gone_is_nobodys_duplicate() -> None:
    matches = [match(name) for name in ("a", "b", "c")]
    kept, suppressed = without_duplicates(matches, shown(matches[:1], 0), threshold=0.97)
    assert ids(kept) == ["a", "b", "c"]
    assert suppressed == {}
    assert without_duplicates([], {}, threshold=0.97) == ([], {})


# --- diversity --------------------------------------------------------------------------------------------------------


def test_no_diversity_is_the_order_as_it_was() -> None:
    matches = [match(name) for name in ("a", "b", "c", "d")]
    assert diversified(matches, shown(matches, 0, 0, 0, 90), 0.0) == matches


def test_diversity_brings_forward_what_is_unlike_the_first() -> None:
    matches = [match(name) for name in ("a", "a2", "a3", "b")]
    vectors = shown(matches, 0, 2, 4, 80)
    assert ids(diversified(matches, vectors, 1.0))[:2] == ["a", "b"]
    assert ids(diversified(matches, vectors, 0.6))[:2] == ["a", "b"]
    assert ids(diversified(matches, vectors, 0.1))[:2] == ["a", "a2"]


@pytest.mark.parametrize("diversity", [0.3, 0.7, 1.0])
def test_whatever_the_diversity_each_match_is_there_once_and_the_best_first(diversity: float) -> None:
    random = np.random.default_rng(3)
    matches = [match(f"p{number}") for number in range(40)]
    found = diversified(matches, shown(matches, *random.uniform(0, 180, 30)), diversity)
    assert found[0] == matches[0]
    assert sorted(ids(found)) == sorted(ids(matches))


def test_equal_pictures_are_no_reason_to_fail() -> None:
    matches = [match(name) for name in ("a", "b", "c")]
    assert ids(diversified(matches, shown(matches, 5, 5, 5), 0.5)) == ["a", "b", "c"]


# --- the vote ---------------------------------------------------------------------------------------------------------


def test_the_category_of_most_of_the_best_wins_with_its_share() -> None:
    categories = ["shoes", "hats", "hats", ""]
    vote = vote_of([match(str(number), category=name) for number, name in enumerate(categories)])
    assert vote is not None
    weights = [1.0, 2**-0.5, 3**-0.5, 0.5]
    assert vote.category == "hats"
    assert vote.share == pytest.approx(sum(weights[1:3]) / sum(weights))


def test_only_the_best_vote_and_without_a_category_there_is_no_vote() -> None:
    crowd = [match(str(number), category="shoes") for number in range(VOTERS)]
    assert vote_of([*crowd, *(match(f"h{number}", category="hats") for number in range(500))]) == ("shoes", 1.0)
    assert vote_of([match("a"), match("b", category="")]) is None
    assert vote_of([]) is None
