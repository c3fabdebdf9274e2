"""What is done with the relevant products of a search: least score, order, near duplicates, diversity, counts."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from backend.domain.filters import AnyOf, Filter
from backend.domain.job import JobKind
from backend.domain.query import FacetsOver, PriceRange, Query, Sort, Words
from backend.domain.ranking import DUPLICATE, RELEVANT, WINDOW
from backend.domain.work import Change
from tests.factories import picture, product
from tests.house import House
from tests.unit.usecases.shelves import ids, near, plain, points, put, search


def filled() -> House:
    """p0 is nearest to red, p9 least; their prices fall with their number and their dates rise."""
    house = House()
    for number in range(10):
        of = plain(
            f"p{number}",
            ("mug", "lamp")[number % 2],
            brand=("Arden", "Corvo", "")[number % 3],
            category=("kitchen/mug", "home/lamp")[number % 2],
            price=Decimal(100 - 10 * number),
            in_stock=number < 6,
            attributes={"colour": "red", "code": f"c{number}"},
        )
        put(house, of, [near(house, "red", 0.95 - 0.1 * number, number)], added_at=float(number))
    return house


@pytest.fixture(scope="module")
def house() -> House:
    return filled()


def ordered(house: House, **query: Any) -> list[str]:
    return ids(search(house, "red", words=Words.OFF, **query))


# --- the order --------------------------------------------------------------------------------------------------------


def test_relevant_products_are_sorted_by_price_or_newness(house: House) -> None:
    by_relevance = [f"p{number}" for number in range(10)]
    assert ordered(house) == by_relevance
    assert ordered(house, sort=Sort.PRICE_ASC) == by_relevance[::-1]
    assert ordered(house, sort=Sort.PRICE_DESC) == by_relevance
    assert ordered(house, sort=Sort.NEWEST, limit=3) == ["p9", "p8", "p7"]


def test_a_sort_orders_what_reaches_the_least_score_and_nothing_else(house: House) -> None:
    results = search(house, "red", words=Words.OFF, sort=Sort.PRICE_ASC, min_score=0.6)
    assert ids(results) == ["p3", "p2", "p1", "p0"]
    assert (results.relevant, results.min_score, results.no_match) == (4, 0.6, False)


def test_a_sort_orders_the_thousand_most_relevant() -> None:
    house, made = House(), []
    for number in range(1, RELEVANT + 200):
        of = plain(f"p{number:04}", "mug", price=Decimal(5000 - number))
        made += points(of, [near(house, "red", 0.9 - number / 2000, number)])
    house.vectors.upsert(made)
    results = search(house, "red", words=Words.OFF, sort=Sort.PRICE_ASC, limit=5)
    assert ids(results)[0] == f"p{RELEVANT:04}"
    assert results.relevant == RELEVANT


# --- the least score --------------------------------------------------------------------------------------------------


def test_what_scores_less_is_no_match(house: House) -> None:
    assert ordered(house, min_score=0.7) == ["p0", "p1", "p2"]
    assert ordered(house, min_score=0.7, limit=2, offset=2) == ["p2"]
    nothing = search(house, "red", words=Words.OFF, min_score=0.99)
    assert (ids(nothing), nothing.no_match) == ([], True)
    assert search(house, "red").no_match is None


def test_a_product_with_every_word_is_a_match_whatever_it_looks_like(house: House) -> None:
    for text in ("c9", "P9"):
        results = search(house, text, min_score=0.99)
        assert ids(results) == ["p9"]
        assert results.no_match is False
    assert ids(search(house, "corvo lamp", min_score=0.99)) == ["p1", "p7"]
    assert ids(search(house, "corvo zeppelin", min_score=0.99)) == []


# --- near duplicates and diversity ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def crowd() -> House:
    """400 products; from the second on, every third one's picture is nearly its forerunner's."""
    house, made = House(), []
    for number in range(400):
        original = number - (number % 3 == 2)
        vector = near(house, "red", 0.95 - original / 500, original)
        turned = near(house, "red", 0.5, 1000 + number) if number % 3 == 2 else vector
        mixed = vector + 0.02 * turned
        of = plain(f"p{number:03}", "mug", price=Decimal(number + 1))
        made += points(of, [(mixed / np.linalg.norm(mixed)).astype(np.float32)])
    house.vectors.upsert(made)
    return house


def test_near_duplicates_stand_under_the_one_that_is_kept(crowd: House) -> None:
    whole = ordered(crowd, limit=1000)
    results = search(crowd, "red", words=Words.OFF, collapse=DUPLICATE, limit=1000)
    gone = {name for names in results.suppressed.values() for name in names}
    assert len(gone) >= WINDOW // 3 - 1
    assert gone.isdisjoint(ids(results))
    assert ids(results) == [name for name in whole if name not in gone]
    assert gone <= set(whole[:WINDOW])
    for kept, names in results.suppressed.items():
        assert all(whole.index(kept) < whole.index(name) for name in names)


@pytest.mark.parametrize(
    "query",
    [
        {"collapse": DUPLICATE},
        {"diversity": 0.5},
        {"collapse": DUPLICATE, "diversity": 0.9},
        {"collapse": DUPLICATE, "sort": Sort.PRICE_DESC},
        {"sort": Sort.PRICE_ASC, "min_score": 0.4},
        {"min_score": 0.5},
        {"min_score": 0.5, "text": "mug 300", "words": Words.AUTO},
        {"collapse": DUPLICATE, "text": "red mug", "words": Words.AUTO},
    ],
    ids=str,
)
def test_pages_neither_repeat_nor_skip_whatever_is_asked_for(crowd: House, query: dict[str, Any]) -> None:
    asked = {"text": "red", "words": Words.OFF, **query}
    whole = ids(search(crowd, limit=1000, **asked))
    pages = [ids(search(crowd, limit=70, offset=offset, **asked)) for offset in range(0, 1000, 70)]
    assert [name for page in pages for name in page] == whole
    assert len(set(whole)) == len(whole)


def test_diversity_shows_unlike_products_sooner(crowd: House) -> None:
    def likeness(found: list[str]) -> float:
        vectors = np.array([next(iter(crowd.vectors.vectors_of(product(name).key).values())) for name in found])
        return float((vectors @ vectors.T)[~np.eye(len(found), dtype=bool)].mean())

    assert ordered(crowd, diversity=0.7)[0] == ordered(crowd)[0]
    assert likeness(ordered(crowd, diversity=0.7)) < likeness(ordered(crowd)) - 0.05


# --- counts -----------------------------------------------------------------------------------------------------------

FACETS = ("category", "brand", "in_stock", "currency", "price", "attributes.colour", "attributes.code")


def test_facets_over_the_filter_count_everything_it_admits(house: House) -> None:
    wanted = Filter((AnyOf("in_stock", (True,)),))
    results = search(house, "red", filter=wanted, facets=FACETS, limit=1)
    assert results.facets is not None
    assert list(results.facets) == list(FACETS)
    assert results.facets["category"] == [("home", 3), ("home/lamp", 3), ("kitchen", 3), ("kitchen/mug", 3)]
    assert results.facets["brand"] == [("Arden", 2), ("Corvo", 2)]
    assert results.facets["in_stock"] == [(True, 6)]
    assert results.facets["attributes.colour"] == [("red", 6)]
    assert len(results.facets["attributes.code"]) == 6
    prices = {it.low: it.products for it in results.facets["price"] if isinstance(it, PriceRange) and it.products}
    assert prices == {50.0: 1, 60.0: 1, 70.0: 1, 80.0: 1, 90.0: 1, 95.0: 1}


def test_facets_over_the_matches_count_what_is_relevant(house: House) -> None:
    asked = {"words": Words.OFF, "facets": FACETS, "facets_over": FacetsOver.MATCHES, "limit": 1}
    results = search(house, "red", min_score=0.7, **asked)
    assert results.facets is not None
    assert results.facets["brand"] == [("Arden", 1), ("Corvo", 1)]
    assert results.facets["category"][0] == ("kitchen", 2)
    assert sum(it.products for it in results.facets["price"]) == results.relevant == 3


def test_without_a_least_score_both_ways_count_the_same_in_a_small_shop(house: House) -> None:
    over = [
        search(house, "red", facets=FACETS, facets_over=scope).facets
        for scope in (FacetsOver.FILTER, FacetsOver.MATCHES)
    ]
    assert over[0] == over[1]
    assert search(house, "red").facets is None


def test_a_deleted_product_is_counted_no_more() -> None:
    house = filled()
    house.services.delete_product(product("p5").key)
    results = search(house, "red", facets=("in_stock", "price"))
    assert results.facets is not None
    assert results.facets["in_stock"] == [(True, 5), (False, 4)]
    assert sum(it.products for it in results.facets["price"]) == 9


def test_a_mass_delete_is_counted_no_more_before_the_index_has_followed() -> None:
    house, made, keys = House(), [], []
    for number in range(1500):
        of = plain(f"p{number:04}", "mug", brand="Arden", price=Decimal(number % 90 + 1), attributes={"colour": "red"})
        made += points(of, [near(house, "red", 0.9, number)])
        house.catalog.accept([Change(of.key, of, (picture(of.key.product_id),))], JobKind.UPLOAD)
        keys.append(of.key)
    house.vectors.upsert(made)
    for key in keys[:1400]:
        house.services.delete_product(key)
    results = search(house, "red", facets=("brand", "price", "attributes.colour"), limit=1000)
    assert results.facets is not None
    assert results.facets["brand"] == [("Arden", 100)]
    assert results.facets["attributes.colour"] == [("red", 100)]
    assert sum(it.products for it in results.facets["price"] if isinstance(it, PriceRange)) == 100
    assert sorted(ids(results)) == [key.product_id for key in keys[1400:]]


def test_how_many_are_relevant_is_told_where_all_of_them_were_needed_and_nowhere_else(house: House) -> None:
    matches = {"facets": ("brand",), "facets_over": FacetsOver.MATCHES}
    assert search(house, "red", sort=Sort.NEWEST).relevant == 10
    assert search(house, "red", **matches).relevant == 10
    assert search(house, "red", limit=100, offset=900).relevant is None
    assert search(house, "red", limit=800, collapse=DUPLICATE).relevant is None


def test_the_best_matches_vote_for_a_category(house: House) -> None:
    vote = search(house, "red", words=Words.OFF, predict_category=True, limit=1).category
    assert vote is not None
    assert vote.category == "kitchen/mug"
    assert 0.5 < vote.share < 0.7
    assert search(house, "red").category is None


# --- nothing that was not asked for -----------------------------------------------------------------------------------


def test_a_search_by_product_is_one_question_to_the_index(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    for name in ("nearest", "worded", "facet", "count_products", "extremes", "sample", "vectors_by_content", "count"):
        method = getattr(house.vectors, name)

        def told(*arguments: Any, _name: str = name, _method: Any = method, **named: Any) -> Any:
            asked.append(_name)
            return _method(*arguments, **named)

        monkeypatch.setattr(house.vectors, name, told)
    house.services.search_products(Query("shop", product_id="p0", limit=3))
    assert asked == ["nearest"]
