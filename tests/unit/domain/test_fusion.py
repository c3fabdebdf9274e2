"""Looks and words in one order."""

from collections.abc import Iterable

import pytest

from backend.domain.fusion import UNKNOWN_WEIGHT, Found, Terms, appended, fused, settled
from backend.domain.query import Match


def found(product_id: str, cosine: float, coverage: float = 0.0) -> Found:
    return Found(Match(product_id, cosine, "", {}), coverage)


def ids(items: Iterable[Found]) -> list[str]:
    return [item.match.product_id for item in items]


def test_without_words_the_order_is_that_of_the_cosines() -> None:
    assert ids(fused([found("b", 0.2), found("a", 0.3), found("c", -0.1)], 1.0)) == ["a", "b", "c"]


def test_a_product_with_every_word_comes_before_the_one_that_looks_most_like_it() -> None:
    assert ids(fused([found("looks", 0.4), found("code", -0.2, 1.0)], 1.0)) == ["code", "looks"]


def test_of_products_with_the_same_words_the_likest_is_first() -> None:
    assert ids(fused([found("a", 0.1, 1.0), found("b", 0.3, 1.0), found("c", 0.2, 1.0)], 1.0)) == ["b", "c", "a"]


def test_a_word_that_says_little_moves_little() -> None:
    assert ids(fused([found("like", 0.4), found("with", 0.1, 0.05)], 1.0)) == ["like", "with"]


def test_in_a_search_with_a_picture_words_have_their_share_and_no_more() -> None:
    both = [found("looks", 0.9), found("says", 0.5, 1.0)]
    assert ids(fused(both, 0.2)) == ["looks", "says"]
    assert ids(fused(both, 0.9)) == ["says", "looks"]
    assert ids(fused(both, 0.0)) == ["looks", "says"]


def test_ties_go_by_product_id() -> None:
    assert ids(fused([found("b", 0.2, 0.5), found("a", 0.2, 0.5)], 1.0)) == ["a", "b"]
    assert fused([], 1.0) == []


def test_a_deeper_list_adds_what_the_shallower_had_not_and_moves_nothing() -> None:
    shallow, deep = [found("b", 0.2), found("a", 0.1)], [found("c", 0.9), found("a", 0.1), found("b", 0.2)]
    assert [ids(tier) for tier in appended([shallow, deep])] == [["b", "a"], ["c"]]


def test_words_nobody_has_are_part_of_what_was_asked_for() -> None:
    terms = Terms({"red": 2.0, "dress": 3.0}, unknown=1)
    assert list(terms) == ["red", "dress"]
    assert terms.whole == pytest.approx(5.0 + UNKNOWN_WEIGHT)


def test_what_products_not_looked_at_may_come_before_waits_for_a_deeper_list() -> None:
    ranked = fused([found("a", 0.1, 1.0), found("b", 0.2, 1.0), found("c", 0.9), found("d", 0.8)], 1.0)
    assert ids(settled(ranked, 1.0, cosine=0.8, coverage=1.0, count=2)) == ["b", "a"]
    assert ids(settled(ranked, 1.0, cosine=0.8, coverage=0.0, count=2)) == ["b", "a", "c", "d"]
    assert ids(settled(ranked, 1.0, cosine=0.8, coverage=1.0, count=3)) == ["b", "a", "c"]
    assert settled([], 1.0, cosine=0.8, coverage=1.0, count=3) == []


def test_a_product_has_every_word_when_it_has_each_run_apart_or_together() -> None:
    code = Terms({"ab": 1.0, "12": 1.0, "ab12": 2.0, "mug": 1.0}, runs=[["ab", "12"], ["mug"]])
    assert code.all_in({"ab12", "mug"})
    assert code.all_in({"ab", "12", "mug", "red"})
    assert not code.all_in({"ab12"})
    assert not code.all_in({"ab", "mug"})
    assert not Terms({"mug": 1.0}, unknown=1, runs=[["mug"], ["zeppelin"]]).all_in({"mug"})
