"""Searching by picture, words, both or a product."""

import numpy as np
import pytest
from PIL import Image

from backend.domain.filters import AnyOf, Filter
from backend.domain.query import Query
from backend.errors import ImageNotFound, ProductNotFound, ProductNotSearchable, QueryMissing, UnreadableImage
from backend.usecases import search_products
from backend.usecases.keep_pictures import Upload
from tests import pictures
from tests.factories import product
from tests.fakes.embedder import COLOURS
from tests.house import House


def plain(colour: str) -> bytes:
    return pictures.encode(Image.new("RGB", (64, 64), COLOURS[colour]), "PNG")


@pytest.fixture(scope="module")
def house() -> House:
    house = House()
    for colour in COLOURS:
        uploads = [Upload("a.png", lambda colour=colour: plain(colour))]  # type: ignore[misc]
        house.services.upload_product(product(colour, attributes={"color": colour}), uploads)
    house.services.upload_product(product("alien", merchant="other"), [Upload("a.png", lambda: plain("red"))])
    house.work()
    return house


def ids(house: House, **query: object) -> list[str]:
    return [match.product_id for match in house.services.search_products(Query("shop", **query)).matches]  # type: ignore[arg-type]


def test_a_picture_finds_what_looks_like_it(house: House) -> None:
    assert ids(house, image=plain("red"))[0] == "red"


def test_words_find_what_they_say(house: House) -> None:
    assert ids(house, text="something blue")[0] == "blue"


def test_another_product_finds_its_like_but_not_itself(house: House) -> None:
    found = ids(house, product_id="red")
    assert "red" not in found
    assert len(found) == len(COLOURS) - 1


def test_a_known_picture_can_be_named_by_its_id(house: House) -> None:
    image_id = house.services.read_product(product("green").key).pictures[0].content_hash
    assert ids(house, image_id=image_id)[0] == "green"


def test_a_picture_of_another_merchant_is_not_there(house: House) -> None:
    alien = house.services.read_product(product("alien", merchant="other").key).pictures[0].content_hash
    red = house.services.read_product(product("red").key).pictures[0].content_hash
    assert alien == red  # the same bytes: still each merchant's own
    with pytest.raises(ImageNotFound):
        house.services.search_products(Query("third", image_id=alien))


def test_weights_move_the_answer_between_picture_and_words(house: House) -> None:
    both = {"image": plain("red"), "text": "blue"}
    assert ids(house, **both, image_weight=0.9, text_weight=0.1)[0] == "red"
    assert ids(house, **both, image_weight=0.1, text_weight=0.9)[0] == "blue"


def test_pages_follow_each_other_without_repeats_or_gaps(house: House) -> None:
    whole = ids(house, text="red", limit=11)
    assert [
        *ids(house, text="red", limit=4),
        *ids(house, text="red", limit=4, offset=4),
        *ids(house, text="red", limit=4, offset=8),
    ] == whole


def test_filters_hold_for_every_match(house: House) -> None:
    wanted = Filter((AnyOf("attributes.color", ("blue", "green")),))
    assert sorted(ids(house, image=plain("red"), filter=wanted)) == ["blue", "green"]


def test_the_answer_says_where_the_time_went(house: House) -> None:
    took = house.services.search_products(Query("shop", image=plain("red"))).took_ms
    assert set(took) == {"decode", "embed", "search", "total"}
    assert took["total"] == pytest.approx(took["decode"] + took["embed"] + took["search"], abs=0.1)


def test_it_names_the_same_stages_when_the_vector_was_kept(house: House) -> None:
    known = house.services.read_product(product("green").key).pictures[0].content_hash
    for query in (Query("shop", image=plain("green")), Query("shop", image_id=known)):
        for _ in range(2):
            took = house.services.search_products(query).took_ms
            assert set(took) == {"decode", "embed", "search", "total"}


def test_a_kept_vector_opens_nobody_elses_pictures(house: House) -> None:
    image_id = house.services.read_product(product("blue").key).pictures[0].content_hash
    assert ids(house, image_id=image_id)[0] == "blue"
    with pytest.raises(ImageNotFound):
        house.services.search_products(Query("other", image_id=image_id))


def test_a_search_for_nothing_and_by_what_is_not_there_is_refused(house: House) -> None:
    for query, error in (
        (Query("shop"), QueryMissing),
        (Query("shop", image=b"no picture at all"), UnreadableImage),
        (Query("shop", product_id="nobody"), ProductNotFound),
        (Query("shop", product_id="alien"), ProductNotFound),
    ):
        with pytest.raises(error):
            house.services.search_products(query)


def test_a_product_not_yet_in_the_index_says_so() -> None:
    house = House()
    house.services.upload_product(product(), [Upload("a.png", lambda: plain("red"))])
    with pytest.raises(ProductNotSearchable):
        house.services.search_products(Query("shop", product_id="p-1"))


@pytest.mark.parametrize("most", [2, 1_000])
def test_a_deleted_product_is_no_example_before_the_index_has_followed(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """`most`: so many deletes are known by name; with 2 the catalog is asked."""
    monkeypatch.setattr(search_products, "_MAX_EXCLUDED", most)
    house = House()
    for number in range(4):
        house.services.upload_product(product(f"p{number}"), [Upload("a.png", lambda: plain("red"))])
    house.work()
    for number in range(3):
        house.services.delete_product(product(f"p{number}").key)
    with pytest.raises(ProductNotFound):
        ids(house, product_id="p0")
    assert ids(house, product_id="p3") == []


def test_opposite_parts_that_cancel_out_still_give_an_answer(house: House) -> None:
    vector = house.embedder.embed_texts(["red"])[0]
    embed = house.embedder.embed_texts
    house.embedder.embed_texts = lambda texts: np.array([-house.embedder.embed_images([pixels])[0]])  # type: ignore[method-assign]
    pixels = house.services.search_products.embed_query.reader.decode(plain("red"), 32)
    try:
        assert ids(house, image=plain("red"), text="against")[0] == "red"
    finally:
        house.embedder.embed_texts = embed  # type: ignore[method-assign]
    assert vector.shape == (32,)


def test_a_mass_delete_is_out_of_every_answer_before_the_index_has_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_products, "_MAX_EXCLUDED", 2)
    house = House()
    for number in range(12):
        house.services.upload_product(product(f"p{number:02}"), [Upload("a.png", lambda: plain("red"))])
    house.work()
    for number in range(9):
        house.services.delete_product(product(f"p{number:02}").key)
    assert ids(house, image=plain("red"), limit=3) == ["p09", "p10", "p11"]
    assert ids(house, image=plain("red"), limit=2, offset=2) == ["p11"]
