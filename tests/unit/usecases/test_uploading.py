"""Uploading, changing and deleting a product."""

import pytest

from backend.domain.picture import PictureState
from backend.domain.product import ProductState
from backend.domain.query import Query
from backend.domain.work import Work
from backend.errors import PicturesMissing, ProductNotFound, TooManyPictures, UnreadableImage
from backend.usecases.keep_pictures import Upload
from tests import pictures
from tests.factories import key, product
from tests.house import House

RED = pictures.encode(pictures.photo(seed=1), "JPEG")
BLUE = pictures.encode(pictures.photo(seed=2), "JPEG")


def upload(*images: bytes) -> list[Upload]:
    return [Upload(f"{number}.jpg", lambda data=data: data) for number, data in enumerate(images)]  # type: ignore[misc]


@pytest.fixture
def house() -> House:
    return House()


def test_an_upload_is_durable_and_rung_for_and_becomes_searchable(house: House) -> None:
    accepted, kept = house.services.upload_product(product(), upload(RED, BLUE))
    assert accepted.created
    assert accepted.version == 1
    assert [item.state for item in kept] == [PictureState.PENDING] * 2
    assert house.doorbell.rings == [Work.UPLOADS]
    assert house.services.read_product(key()).state is ProductState.PENDING

    house.work()

    record = house.services.read_product(key())
    assert record.state is ProductState.SEARCHABLE
    assert record.searchable_at == house.clock.now
    assert house.vectors.count("shop") == 2


def test_an_upload_is_accepted_while_the_broker_is_down_and_the_sweep_rings_later(house: House) -> None:
    house.doorbell.down = True
    house.services.upload_product(product(), upload(RED))
    house.doorbell.down = False
    house.services.sweep()
    assert house.doorbell.rings == [Work.UPLOADS]
    assert house.work() == 1


def test_a_bad_picture_among_good_ones_fails_alone(house: House) -> None:
    _, kept = house.services.upload_product(product(), upload(RED, b"not a picture at all", BLUE))
    assert [item.code for item in kept] == [None, "image_unsupported_type", None]
    house.work()
    record = house.services.read_product(key())
    assert record.state is ProductState.SEARCHABLE
    assert [item.state for item in record.pictures] == ["searchable", "failed", "searchable"]


def test_a_file_name_is_kept_in_a_form_that_can_be_stored_and_shown(house: House) -> None:
    name = "../../e\x00vil\ud800" + "x" * 500
    _, kept = house.services.upload_product(product(), [Upload(name, lambda: RED)])
    assert kept[0].name == ("../../e\N{REPLACEMENT CHARACTER}vil\N{REPLACEMENT CHARACTER}" + "x" * 500)[:200]


def test_an_upload_of_bad_pictures_only_changes_nothing(house: House) -> None:
    with pytest.raises(UnreadableImage) as caught:
        house.services.upload_product(product(), upload(b"", b"x" * 50))
    assert [item.code for item in caught.value.errors] == ["image_empty", "image_unsupported_type"]
    with pytest.raises(ProductNotFound):
        house.services.read_product(key())


def test_a_picture_damaged_behind_its_header_fails_in_the_ledger(house: House) -> None:
    damaged = bytearray(pictures.png())
    damaged[len(damaged) // 3 : len(damaged) // 3 + 400] = bytes(400)
    house.services.upload_product(product(), upload(bytes(damaged)))
    house.work()
    record = house.services.read_product(key())
    assert (record.state, record.code) == (ProductState.FAILED, UnreadableImage.code)
    assert record.pictures[0].code == UnreadableImage.code
    assert house.vectors.count() == 0


def test_the_same_picture_twice_is_one_point(house: House) -> None:
    house.services.upload_product(product(), upload(RED, RED))
    house.work()
    assert house.vectors.count() == 1


def test_no_picture_and_too_many_are_refused(house: House) -> None:
    with pytest.raises(PicturesMissing):
        house.services.upload_product(product(), [])
    with pytest.raises(TooManyPictures):
        house.services.upload_product(product(), upload(*[RED] * 17))


def test_replaced_pictures_leave_the_index_and_kept_ones_are_not_embedded_again(house: House) -> None:
    house.services.upload_product(product(), upload(RED, BLUE))
    house.work()
    green = pictures.encode(pictures.photo(seed=3), "JPEG")
    house.services.upload_product(product(), upload(BLUE, green))
    house.work()
    assert house.embedder.pictures_embedded == 3
    assert len(house.vectors.vectors_of(key())) == 2


def test_a_patch_changes_facts_without_the_model(house: House) -> None:
    house.services.upload_product(product(attributes={"color": "red", "size": "M"}), upload(RED))
    house.work()
    calls = len(house.embedder.batches)
    house.services.patch_product(key(), {"price": "9.99", "attributes": {"size": None, "new": True}, "brand": None})
    house.work()
    found = house.services.read_product(key()).product
    assert (str(found.price), found.brand, dict(found.attributes)) == ("9.99", "", {"color": "red", "new": True})
    assert len(house.embedder.batches) == calls
    [match] = house.services.search_products(Query("shop", image=RED)).matches
    assert match.payload["price_exact"] == "9.99"


def test_patches_that_race_both_count(house: House) -> None:
    house.services.upload_product(product(), upload(RED))
    read = house.catalog.product
    raced: list[bool] = []

    def read_and_be_overtaken(wanted):  # type: ignore[no-untyped-def]
        record = read(wanted)
        if not raced:
            raced.append(True)
            house.services.patch_product(key(), {"title": "theirs"})
        return record

    house.catalog.product = read_and_be_overtaken  # type: ignore[method-assign]
    house.services.patch_product(key(), {"brand": "ours"})
    found = house.services.read_product(key()).product
    assert (found.title, found.brand) == ("theirs", "ours")


def test_a_deleted_product_is_out_of_every_answer_before_the_index_knows(house: House) -> None:
    house.services.upload_product(product(), upload(RED))
    house.work()
    house.services.delete_product(key())
    assert house.vectors.count() == 1
    assert house.services.search_products(Query("shop", image=RED)).matches == ()
    with pytest.raises(ProductNotFound):
        house.services.read_product(key())
    with pytest.raises(ProductNotFound):
        house.services.delete_product(key())
    house.work()
    assert house.vectors.count() == 0


def test_a_product_uploaded_again_after_its_deletion_is_searchable_with_a_higher_version(house: House) -> None:
    house.services.upload_product(product(), upload(RED))
    house.services.delete_product(key())
    accepted, _ = house.services.upload_product(product(), upload(BLUE))
    assert (accepted.version, accepted.created) == (3, True)
    house.work()
    assert len(house.services.search_products(Query("shop", image=BLUE)).matches) == 1
