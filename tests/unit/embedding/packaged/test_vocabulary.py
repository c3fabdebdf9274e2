import pytest

from backend.embedding.packaged.vocabulary import CLASS_COUNT, Vocabulary, load_vocabulary, parse_names, parse_phrases

NAMES = (("mug", "tankard"), ("crane",), ("crane",), ("jersey",), ("gown",), ("Cardigan", "corgi"))


@pytest.fixture(scope="module")
def shipped() -> Vocabulary:
    return load_vocabulary()


def names_of(vocabulary: Vocabulary, text: str) -> set[str]:
    return {vocabulary.names[index][0] for index in vocabulary.head_classes(text)}


def test_the_shipped_vocabulary_names_every_class_and_lists_what_shops_sell(shipped: Vocabulary) -> None:
    assert len(shipped.names) == CLASS_COUNT
    sold = ["mug", "t-shirt", "sneaker", "backpack", "lamp", "chair", "watch", "bottle", "hat", "dress", "sofa", "vase"]
    assert [item for item in sold if not shipped.head_classes(item)] == []


def test_a_phrase_means_all_classes_of_its_line() -> None:
    assert parse_phrases("# tops\ncup, beaker = mug, jersey\n", NAMES) == {"cup": (0, 3), "beaker": (0, 3)}


def test_a_name_of_two_classes_means_both() -> None:
    assert parse_phrases("lifting = crane", NAMES) == {"lifting": (1, 2)}
    assert Vocabulary(NAMES, {}).anchors["crane"] == (1, 2)


def test_an_unknown_class_is_refused() -> None:
    with pytest.raises(ValueError, match="no class is called"):
        parse_phrases("cup = teacup", NAMES)


def test_a_phrase_listed_twice_is_refused_however_it_is_written() -> None:
    with pytest.raises(ValueError, match="listed twice"):
        parse_phrases("t-shirt = jersey\nT shirt = gown", NAMES)


def test_another_number_of_classes_is_refused() -> None:
    with pytest.raises(ValueError, match="999 classes"):
        parse_names("thing\n" * 999)


def test_what_a_shop_means_by_a_word_stands_above_the_class_of_that_name() -> None:
    anchors = Vocabulary(NAMES, {"cardigan": (3,)}).anchors
    assert anchors["cardigan"] == (3,)
    assert "Cardigan" not in anchors
    assert anchors["corgi"] == (5,)


@pytest.mark.parametrize(
    "text", ["dress", "floral summer dress", "Dresses", "dress with buttons", "pair of dresses", "photo of a dress"]
)
def test_a_phrase_is_a_kind_of_its_last_listed_word(text: str) -> None:
    assert Vocabulary(NAMES, {"dress": (4,), "button": (0,)}).head_classes(text) == (4,)


def test_the_longest_listed_ending_decides() -> None:
    vocabulary = Vocabulary(NAMES, {"dress": (4,), "sun dress": (3,)})
    assert vocabulary.head_classes("yellow sun-dress") == (3,)


def test_a_written_form_is_preferred_to_its_singular(shipped: Vocabulary) -> None:
    assert "sunglasses" in names_of(shipped, "reading glasses")
    assert "goblet" in names_of(shipped, "a glass")


def test_a_text_that_ends_in_nothing_listed_has_no_head() -> None:
    assert Vocabulary(NAMES, {"dress": (4,)}).head_classes("quantum flux") == ()
    assert Vocabulary(NAMES, {"dress": (4,)}).head_classes("") == ()
