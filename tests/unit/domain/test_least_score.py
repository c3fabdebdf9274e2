"""The score that says no more than chance."""

from dataclasses import replace

import numpy as np
import pytest

from backend.domain.least_score import ANY_QUANTILE, QUANTILE, Drawn, least_score


def drawn(seed: int, number: int, kinds: int, *, categories: bool = True, prefix: str = "p") -> Drawn:
    """Unit vectors in groups, one category each."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(0).standard_normal((kinds, 32))
    kind = random.integers(kinds, size=number)
    vectors = centres[kind] + 0.3 * random.standard_normal((number, 32))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return Drawn(
        vectors,
        ["shop"] * number,
        [f"{prefix}{it}" for it in range(number)],
        [f"kind {it}" if categories else "" for it in kind],
    )


def test_it_is_what_one_pair_of_strangers_in_a_hundred_reaches() -> None:
    pictures = drawn(1, 200, kinds=8)
    kinds = np.array(pictures.categories)
    strangers = (pictures.vectors @ pictures.vectors.T)[kinds[:, None] != kinds[None, :]]
    least = least_score(pictures, pictures, 0.0)
    assert least == pytest.approx(float(np.quantile(strangers, QUANTILE)))
    assert np.mean(strangers >= least) == pytest.approx(0.01, abs=0.002)


def test_pictures_of_a_kind_reach_it() -> None:
    pictures = drawn(1, 200, kinds=8)
    query = drawn(2, 40, kinds=8)
    scores = query.vectors @ pictures.vectors.T
    assert np.all(scores.max(axis=1) >= least_score(pictures, pictures, 0.0))


def test_without_categories_any_two_products_are_a_pair() -> None:
    pictures = drawn(1, 200, kinds=8, categories=False)
    apart = ~np.eye(200, dtype=bool)
    expected = np.quantile((pictures.vectors @ pictures.vectors.T)[apart], ANY_QUANTILE)
    assert least_score(pictures, pictures, 0.0) == pytest.approx(float(expected))


def test_words_are_measured_by_titles_and_mixtures_lie_on_both() -> None:
    pictures, titles = drawn(1, 300, kinds=8), drawn(5, 60, kinds=8, prefix="other")
    titles = replace(titles, vectors=-titles.vectors)
    words = least_score(pictures, titles, 1.0)
    kinds, said = np.array(pictures.categories), np.array(titles.categories)
    expected = (titles.vectors @ pictures.vectors.T)[said[:, None] != kinds[None, :]]
    assert words == pytest.approx(float(np.quantile(expected, QUANTILE)))
    assert least_score(pictures, titles, 0.5) < 1.0
    assert least_score(pictures, titles, 0.001) == pytest.approx(least_score(pictures, titles, 0.0), abs=0.1)


@pytest.mark.parametrize("text_share", [0.0, 0.5, 1.0])
def test_where_nothing_can_be_said_everything_is_a_match(text_share: float) -> None:
    nothing = Drawn(np.zeros((0, 32), np.float32), [], [], [])
    one = drawn(1, 1, kinds=1)
    assert least_score(nothing, nothing, text_share) == -1.0
    assert least_score(one, one, text_share) == -1.0


def test_pictures_of_one_product_are_no_pair() -> None:
    two = drawn(1, 2, kinds=1)
    same = Drawn(two.vectors, ["shop"] * 2, ["p", "p"], ["", ""])
    assert least_score(same, same, 0.0) == -1.0


def test_what_differs_below_the_first_level_of_its_category_is_no_stranger() -> None:
    plain = drawn(1, 300, kinds=8)
    nested = [f"{category}/{('left', 'right')[number % 2]}" for number, category in enumerate(plain.categories)]
    expected = least_score(plain, plain, 0.0)
    split = replace(plain, categories=nested)
    assert least_score(split, split, 0.0) == pytest.approx(expected)
    one_root = replace(plain, categories=[f"clothing/{category}" for category in plain.categories])
    without = replace(plain, categories=[""] * 300)
    assert least_score(one_root, one_root, 0.0) == pytest.approx(least_score(without, without, 0.0))


def test_what_two_merchants_call_differently_may_be_alike() -> None:
    plain = drawn(1, 300, kinds=8)
    merchants = [("shop", "other")[number % 2] for number in range(300)]
    named = [f"{merchant} {category}" for merchant, category in zip(merchants, plain.categories, strict=True)]
    both = replace(plain, merchants=merchants, categories=named)
    assert least_score(both, both, 0.0) == pytest.approx(least_score(plain, plain, 0.0), abs=0.05)
    lone = replace(plain, merchants=[f"shop {number}" for number in range(300)])
    without = replace(plain, categories=[""] * 300)
    assert least_score(lone, lone, 0.0) == pytest.approx(least_score(without, without, 0.0))


def test_an_id_two_merchants_use_is_two_products() -> None:
    plain = drawn(1, 300, kinds=8, categories=False)
    same = replace(
        plain, merchants=[("shop", "other")[it % 2] for it in range(300)], products=[f"p{it // 2}" for it in range(300)]
    )
    assert least_score(same, same, 0.0) == pytest.approx(least_score(plain, plain, 0.0))


def test_a_few_strangers_in_a_shop_of_one_kind_are_not_enough() -> None:
    plain = drawn(1, 300, kinds=8)
    mostly = replace(plain, categories=["clothing" if it % 10 else "chairs" for it in range(300)])
    without = replace(plain, categories=[""] * 300)
    assert least_score(mostly, mostly, 0.0) == pytest.approx(least_score(without, without, 0.0))
