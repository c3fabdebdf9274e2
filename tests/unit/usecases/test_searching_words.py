"""Words that find what they say: codes, brands and titles beside pictures, slips put right, pages without gaps."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from backend.domain.filters import AnyOf, Filter
from backend.domain.fusion import DEPTHS, Found, fused
from backend.domain.product import Product
from backend.domain.query import WordMatch, Words
from backend.ports import Point
from backend.usecases.understand_words import MAX_TERMS, understand_words
from tests import pictures
from tests.factories import product
from tests.fakes.embedder import COLOURS
from tests.house import House
from tests.unit.usecases.shelves import ids, plain, points, put, search


def shelve(house: House, of: Product, *colours: str) -> None:
    """A product with one plain picture a colour."""
    put(house, of, [house.embedder.embed_texts([colour])[0] for colour in colours])


@pytest.fixture(scope="module")
def house() -> House:
    house = House()
    shelve(house, plain("P-1", "Red mug", brand="Velmora"), "red")
    shelve(house, plain("P-2", "Red teapot"), "red", "red", "red", "red", "red", "red")
    shelve(house, plain("P-3", "Blue mug", attributes={"code": "AB-1207"}), "blue")
    shelve(house, plain("P-4", "Green lamp", attributes={"code": "AB-1208"}), "green")
    shelve(house, plain("P-5", "Mug", brand="Nordhusk"), "yellow")
    return house


@pytest.mark.parametrize("code", ["AB-1207", "ab1207", "ab 1207", "P-3", "p3"])
def test_a_code_finds_its_product_first(house: House, code: str) -> None:
    assert ids(search(house, code))[0] == "P-3"


@pytest.mark.parametrize("typed", ["AB-1207", "ab 1207", "AB1207", "ab/1207"])
@pytest.mark.parametrize("written", ["AB1207", "AB-1207", "ab 1207"])
def test_a_code_is_found_however_it_is_parted(written: str, typed: str) -> None:
    house = House()
    shelve(house, plain("P-1", "Lamp", attributes={"code": written}), "green")
    for number in range(2, 8):
        shelve(house, plain(f"P-{number}", ("AB lamp", "Lamp 1207", "ABC lamp")[number % 3]), "green")
    if (written, typed) == ("ab 1207", "AB1207"):  # two words that nothing joins
        assert ids(search(house, typed, words=Words.ONLY)) == []
    else:
        assert ids(search(house, typed))[0] == "P-1"
        assert ids(search(house, typed, min_score=0.99)) == ["P-1"]


def test_letters_and_a_number_are_one_word_only_where_a_product_has_it(house: House) -> None:
    assert list(understand_words(house.vectors, house.catalog, "shop", "mug 1207").terms) == ["mug", "1207"]
    assert understand_words(house.vectors, house.catalog, "shop", "taepot 12").corrected == {"taepot": "teapot"}


def test_a_brand_finds_its_products_first(house: House) -> None:
    assert ids(search(house, "nordhusk"))[0] == "P-5"


def test_of_products_with_the_word_the_one_that_looks_like_the_rest_is_first(house: House) -> None:
    assert ids(search(house, "blue mug"))[:3] == ["P-3", "P-1", "P-5"]


def test_a_product_of_many_pictures_has_one_place(house: House) -> None:
    found = ids(search(house, "red"))
    assert sorted(found) == ["P-1", "P-2", "P-3", "P-4", "P-5"]
    assert set(found[:2]) == {"P-1", "P-2"}


def test_a_score_is_a_cosine_whoever_was_found_by_its_words(house: House) -> None:
    results = search(house, "blue mug")
    vector = house.embedder.embed_texts(["blue mug"])[0]
    for match in results.matches:
        pictures = house.vectors.vectors_of(product(match.product_id).key).values()
        assert match.score == pytest.approx(max(float(vector @ picture) for picture in pictures), abs=1e-5)


def test_words_may_be_left_to_the_pictures(house: House) -> None:
    assert ids(search(house, "red nordhusk", words=Words.OFF))[0] in {"P-1", "P-2"}
    assert ids(search(house, "red nordhusk"))[0] == "P-5"


def test_or_nothing_but_products_with_the_words_be_found(house: House) -> None:
    assert ids(search(house, "mug", words=Words.ONLY)) == sorted(
        ["P-1", "P-3", "P-5"], key=ids(search(house, "mug")).index
    )
    assert ids(search(house, "guitar", words=Words.ONLY)) == []


def test_filters_hold_for_what_words_find(house: House) -> None:
    wanted = Filter(must_not=(AnyOf("product_id", ("P-3",)),))
    assert "P-3" not in ids(search(house, "ab-1207", filter=wanted))
    assert "P-3" not in ids(search(house, "ab-1207", filter=wanted, words=Words.ONLY))


def test_with_a_picture_words_have_their_share(house: House) -> None:
    blue = pictures.encode(Image.new("RGB", (64, 64), COLOURS["blue"]), "PNG")
    assert ids(search(house, "teapot", image=blue, image_weight=0.9, text_weight=0.1))[0] == "P-3"
    assert ids(search(house, "teapot", image=blue, image_weight=0.1, text_weight=0.9))[0] == "P-2"
    assert ids(search(house, "teapot", image=blue, image_weight=1.0, text_weight=0.0))[0] == "P-3"


# --- slips ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("slip", "meant"), [("taepot", "teapot"), ("velmroa", "velmora"), ("teapots", "teapot")])
def test_a_slip_is_put_right_and_the_answer_says_so(house: House, slip: str, meant: str) -> None:
    results = search(house, slip)
    assert results.corrected == {slip: meant}
    assert ids(results)[0] == ids(search(house, meant))[0]


def test_the_model_reads_the_words_that_were_meant(house: House) -> None:
    understood = understand_words(house.vectors, house.catalog, "shop", "Grean LAMP")
    assert (understood.text, understood.corrected) == ("green lamp", {"grean": "green"})
    assert understand_words(house.vectors, house.catalog, "shop", "Green LAMP").text == "Green LAMP"


@pytest.mark.parametrize("text", ["ab1209", "AB-1209", "mu", "nothing like it", "🎉", "ta"])
def test_a_code_a_short_word_and_one_like_no_other_are_left_alone(house: House, text: str) -> None:
    results = search(house, text)
    assert results.corrected == {}
    assert len(results.matches) == 5


@pytest.mark.parametrize("text", ["TEPOT-2041", "2041/tepot", "velmroa_1", "QWERX", "qwrty"])
def test_no_code_is_taken_for_a_slip_nor_a_slip_for_a_code(text: str) -> None:
    house = House()
    shelve(house, plain("QWERT", "Red teapot", brand="Velmora", attributes={"code": "QWERTY", "ref": "qwrt-1"}), "red")
    shelve(house, plain("P-1", "Lamp QWERY-7"), "blue")
    understood = understand_words(house.vectors, house.catalog, "shop", text)
    assert (understood.corrected, understood.text) == ({}, text)


def test_a_slip_beside_a_code_is_put_right_and_the_code_is_not(house: House) -> None:
    understood = understand_words(house.vectors, house.catalog, "shop", "taepot TAEPOT-2041")
    assert (understood.corrected, understood.text) == ({"taepot": "teapot"}, "teapot taepot-2041")


def test_a_deleted_products_words_are_not_what_was_meant() -> None:
    house = House()
    shelve(house, plain("P-1", "Red teapot"), "red")
    house.services.delete_product(product("P-1").key)
    assert understand_words(house.vectors, house.catalog, "shop", "taepot").corrected == {}


def test_a_word_that_is_right_stays_right_under_a_filter_that_leaves_none_with_it(house: House) -> None:
    wanted = Filter((AnyOf("brand", ("Velmora",)),))
    assert search(house, "lamp", filter=wanted).corrected == {}


def test_a_text_of_any_length_asks_a_few_questions(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    worded = house.vectors.worded

    def counted(*arguments: Any, **named: Any) -> list[WordMatch]:
        asked.append(arguments)
        return worded(*arguments, **named)

    monkeypatch.setattr(house.vectors, "worded", counted)
    understand_words(house.vectors, house.catalog, "shop", " ".join(f"word{number}-x" for number in range(400)))
    assert len(asked) <= MAX_TERMS + 4


# --- pages ------------------------------------------------------------------------------------------------------------


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


def test_the_first_page_is_made_of_the_first_depth(branded: House, monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[int] = []
    nearest = branded.vectors.nearest

    def counted(*arguments: Any, limit: int, **named: Any) -> Any:
        limits.append(limit)
        return nearest(*arguments, limit=limit, **named)

    monkeypatch.setattr(branded.vectors, "nearest", counted)
    assert len(search(branded, "acme").matches) == 24
    assert max(limits) == DEPTHS[0]


def test_a_word_that_says_little_keeps_nothing_that_looks_right_from_the_first_page() -> None:
    house = House()
    for number in range(60):
        shelve(house, plain(f"the{number:02}", "the lamp"), "blue")
    shelve(house, plain("red", "mug"), "red")
    assert ids(search(house, "something like the red zeppelin"))[0] == "red"
