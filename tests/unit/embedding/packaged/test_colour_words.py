import pytest

from backend.embedding.packaged.colour_shades import COLOUR_WORDS, SHADES
from backend.embedding.packaged.colour_words import colours_of
from backend.embedding.packaged.recipe import COLOUR_NAMES


def read(text: str) -> tuple[dict[str, float], str]:
    shares, rest = colours_of(text)
    return {name: round(float(share), 2) for name, share in zip(COLOUR_NAMES, shares, strict=True) if share}, rest


def test_a_colour_word_is_taken_out_of_the_text() -> None:
    assert read("red dress") == ({"red": 1.0}, "dress")


def test_a_text_without_colours_is_left_as_it_is() -> None:
    assert read("  Men's T-Shirt, size L ") == ({}, "Men's T-Shirt, size L")


@pytest.mark.parametrize("text", ["red", "something red", "a red one", "the colour red", "in red"])
def test_a_text_of_colours_alone_leaves_nothing(text: str) -> None:
    assert read(text) == ({"red": 1.0}, "")


def test_case_and_american_spelling_do_not_matter() -> None:
    assert read("GRAY Scarf") == read("grey scarf") == ({"grey": 1.0}, "scarf")


@pytest.mark.parametrize(
    "text", ["light blue mug", "sky-blue mug", "dark blue mug", "blue coloured mug", "mug in blue"]
)
def test_words_that_only_serve_a_colour_go_with_it(text: str) -> None:
    assert read(text) == ({"blue": 1.0}, "mug")


def test_two_colours_share_the_wish() -> None:
    assert read("black and white mug") == read("black-and-white mug") == ({"black": 0.5, "white": 0.5}, "mug")


def test_a_shade_between_two_names_asks_for_both() -> None:
    assert read("teal vase") == ({"green": 0.5, "blue": 0.5}, "vase")


@pytest.mark.parametrize(
    "text", ["fresh orange", "orange juice", "orange and lime juice", "olive oil", "cream for hands"]
)
def test_fruit_and_flowers_are_not_colours(text: str) -> None:
    assert read(text) == ({}, text)


@pytest.mark.parametrize("text", ["orange dress", "dress in orange", "bright orange dress"])
def test_fruit_and_flowers_are_colours_where_they_describe_something(text: str) -> None:
    assert read(text) == ({"orange": 1.0}, "dress")


def test_a_fruit_alone_is_both() -> None:
    assert read("Orange") == ({"orange": 1.0}, "orange")


def test_a_fruit_beside_a_colour_is_a_colour() -> None:
    assert read("orange and black dress") == ({"black": 0.5, "orange": 0.5}, "dress")


@pytest.mark.parametrize("text", ["green tea", "red wine glass", "black pepper", "white board"])
def test_a_colour_that_is_part_of_a_name_is_no_wish(text: str) -> None:
    assert read(text) == ({}, text)


def test_denim_is_both_a_cloth_and_a_colour() -> None:
    assert read("denim jacket") == ({"blue": 1.0}, "denim jacket")


def test_the_colour_of_a_part_is_counted_and_the_part_stays() -> None:
    assert read("shirt with red flowers") == ({"red": 1.0}, "shirt with flowers")


@pytest.mark.parametrize("text", ["", "   ", "!?", "日本語"])
def test_any_text_can_be_read(text: str) -> None:
    assert read(text) == ({}, text.strip())


def test_every_colour_word_is_made_of_the_eleven_names() -> None:
    assert set(SHADES) == set(COLOUR_NAMES)
    for word, shares in COLOUR_WORDS.items():
        assert set(shares) <= set(COLOUR_NAMES), word
        assert sum(shares.values()) == pytest.approx(1), word
