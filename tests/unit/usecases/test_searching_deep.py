"""A search by words goes as deep as a page needs: the order does not tell where one depth ends and the next begins."""

from typing import Any

import numpy as np
import pytest

from backend.domain.filters import Filter
from backend.domain.fusion import DEPTHS, Found, fused
from backend.domain.query import Words
from backend.domain.ranking import DUPLICATE
from backend.ports import Point
from backend.usecases.understand_words import understand_words
from tests.house import House
from tests.unit.usecases.shelves import ids, plain, points, search, shelve


@pytest.fixture(scope="module")
def crowd() -> House:
    """2,600 products in which many have the same words and many look alike."""
    house = House()
    random = np.random.default_rng(6)
    vectors = random.standard_normal((2600, 32))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    made: list[Point] = []
    for number in random.permutation(2600).tolist():
        title = f"{('red', 'blue', 'green')[number % 3]} {('mug', 'lamp')[number % 2]}"
        made += points(plain(f"p{number:04}", title), [vectors[number].astype(np.float32)])
    house.vectors.upsert(made)
    return house


@pytest.mark.parametrize("query", [{}, {"words": Words.ONLY}, {"words": Words.OFF}], ids=str)
def test_pages_to_a_thousand_neither_repeat_nor_skip(crowd: House, query: dict[str, Any]) -> None:
    whole = ids(search(crowd, "red mug", limit=1000, **query))
    assert len(whole) == len(set(whole)) == 1000
    for limit in (10, 24, 100):
        starts = [0, limit, max(0, DEPTHS[0] - limit // 2), DEPTHS[1] - limit // 2, 1000 - limit]
        for offset in starts:
            page = ids(search(crowd, "red mug", limit=limit, offset=offset, **query))
            assert page == whole[offset : offset + limit], (limit, offset)


@pytest.fixture(scope="module", params=[20, 200, 600], ids="{} of the brand".format)
def branded(request: pytest.FixtureRequest) -> House:
    """1,000 products, so many of the brand Acme."""
    house = House()
    random = np.random.default_rng(8)
    vectors = random.standard_normal((1000, 32))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    made: list[Point] = []
    for number, place in enumerate(random.permutation(1000).tolist()):
        brand = "Acme" if number < request.param else "Corvo"
        made += points(plain(f"p{place:04}", "mug", brand=brand), [vectors[number].astype(np.float32)])
    house.vectors.upsert(made)
    return house


def over_everything(house: House, text: str) -> list[str]:
    """The order of a list that leaves no product out."""
    vector = house.embedder.embed_texts([text])[0]
    terms = understand_words(house.vectors, house.catalog, "shop", text).terms
    said = dict(house.vectors.worded("shop", list(terms), Filter(), limit=5000))
    seen = house.vectors.nearest("shop", vector, Filter(), limit=5000)
    whole = [Found(match, said.get(match.product_id, 0.0) / terms.whole) for match in seen]
    return [item.match.product_id for item in fused(whole, 1.0)]


def test_every_product_of_a_brand_comes_before_those_of_others(branded: House) -> None:
    results = search(branded, "acme", limit=1000)
    brands = [str(match.payload["brand"]) for match in results.matches]
    assert brands == sorted(brands)
    assert len(brands) == 1000


def test_the_order_is_that_over_everything_where_nothing_ties_beyond_a_depth(branded: House) -> None:
    """Where more tie in their words than are listed, the first page has some of these, and they are in order."""
    expected, found = over_everything(branded, "acme"), ids(search(branded, "acme", limit=1000))
    start = 0
    for depth in (*DEPTHS[:-1], len(found)):
        part = found[start:depth]
        assert part == sorted(part, key=expected.index)
        start = depth
    if branded.vectors.worded("shop", ["acme"], Filter(), limit=DEPTHS[0] + 1)[DEPTHS[0] :] == []:
        assert found == expected


def test_pages_of_a_brand_neither_repeat_nor_skip(branded: House) -> None:
    whole = ids(search(branded, "acme", limit=1000))
    pages = [ids(search(branded, "acme", limit=100, offset=offset)) for offset in range(0, 1000, 100)]
    assert [name for page in pages for name in page] == whole
    assert len(set(whole)) == 1000


def test_a_first_page_is_made_of_the_first_depth_and_without_near_duplicates_of_the_second(
    branded: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[int] = []
    nearest = branded.vectors.nearest

    def counted(*arguments: Any, limit: int, **named: Any) -> Any:
        limits.append(limit)
        return nearest(*arguments, limit=limit, **named)

    monkeypatch.setattr(branded.vectors, "nearest", counted)
    assert len(search(branded, "acme").matches) == 24
    assert max(limits) == DEPTHS[0]
    search(branded, "acme", collapse=DUPLICATE)
    assert max(limits) == DEPTHS[1]


def test_a_word_that_says_little_keeps_nothing_that_looks_right_from_the_first_page() -> None:
    house = House()
    for number in range(60):
        shelve(house, plain(f"the{number:02}", "the lamp"), "blue")
    shelve(house, plain("red", "mug"), "red")
    assert ids(search(house, "something like the red zeppelin"))[0] == "red"
