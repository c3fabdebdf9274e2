"""The words of products and of searches meet in one form."""

import pytest

from backend.domain.words import EDGE, MAX_WORD, SPELLED, pieces_of, product_words, words_of
from tests.factories import product


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Linen dress", ["linen", "dress"]),
        ("  RED,  dress!  ", ["red", "dress"]),
        ("Crème brûlée", ["creme", "brulee"]),
        ("STRASSE Straße", ["strasse", "strasse"]),
        ("ﬁne \uff21\uff22 № \uff15", ["fine", "ab", "5"]),  # full width
        ("Acme™ Côté®", ["acme", "cote"]),
        ("AB-1207", ["ab", "1207", "ab1207"]),
        ("t-shirt", ["t", "shirt", "tshirt"]),
        ("-dress-", ["dress"]),
        ("Блузка 蓝色", ["блузка", "蓝色"]),
        ("…  ¡! --", []),
        ("", []),
    ],
)
def test_a_text_is_its_words_in_one_form(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_what_is_far_too_long_for_a_word_is_known_by_its_beginning() -> None:
    assert words_of("a" * 500) == ["a" * MAX_WORD]
    assert words_of("a" * 500 + "-b") == ["a" * MAX_WORD, "b", "a" * MAX_WORD]


def test_pieces_know_where_a_word_begins_and_ends() -> None:
    assert pieces_of(["cap"]) == [f"{EDGE}ca", "cap", f"ap{EDGE}"]
    assert pieces_of(["x"]) == [f"{EDGE}x{EDGE}"]
    assert all(len(piece) == SPELLED for piece in pieces_of(words_of("a word of each length")))


def test_a_letter_spelt_wrongly_leaves_pieces_that_meet() -> None:
    shared = set(pieces_of(["chesterfield"])) & set(pieces_of(["chesterfeild"]))
    assert len(shared) >= 8
    assert not shared & set(pieces_of(["tray"]))


def test_the_marks_of_the_ends_split_no_piece() -> None:
    assert EDGE.isalpha()
    assert words_of(pieces_of(["cap"])[0]) == [f"{EDGE}ca"]


def test_a_product_is_found_by_its_id_title_brand_category_and_the_texts_of_its_attributes() -> None:
    of = product(
        "AB-1",
        title="Linen dress",
        brand="Müller",
        category="clothing/long dresses",
        attributes={"ean": "400638133", "sizes": ("S", "M"), "weight": 3, "new": True},
    )
    assert product_words(of) == [
        "ab", "1", "ab1", "linen", "dress", "muller", "clothing", "long", "dresses", "400638133", "s", "m",
    ]  # fmt: skip
