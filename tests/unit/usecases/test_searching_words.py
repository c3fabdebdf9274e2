"""Words that find what they say: codes, brands and titles beside pictures, slips put right, pages without gaps."""

from typing import Any

import pytest
from PIL import Image

from backend.domain.filters import AnyOf, Filter
from backend.domain.query import WordMatch, Words
from backend.usecases.understand_words import MAX_TERMS, understand_words
from tests import pictures
from tests.factories import product
from tests.fakes.embedder import COLOURS
from tests.house import House
from tests.unit.usecases.shelves import ids, plain, search, shelve


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
