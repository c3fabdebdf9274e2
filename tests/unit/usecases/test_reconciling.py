"""Bringing the index to the latest rows, whatever happens to the messages and the parts."""

import pytest

from backend.domain.product import ProductState
from backend.errors import IndexUnavailable
from backend.usecases.keep_pictures import Upload
from tests import pictures
from tests.factories import key, product
from tests.house import House

PICTURES = [pictures.encode(pictures.photo(64, 64, seed), "JPEG") for seed in range(8)]


def put(house: House, product_id: str, *images: bytes, merchant: str = "shop") -> None:
    uploads = [Upload("a.jpg", lambda data=data: data) for data in images]  # type: ignore[misc]
    house.services.upload_product(product(product_id, merchant=merchant), uploads)


def test_pictures_uploaded_one_by_one_share_a_forward_pass() -> None:
    house = House()
    for number, data in enumerate(PICTURES):
        put(house, f"p{number}", data)
    assert house.services.reconcile_products() == 8
    assert house.embedder.batches == [8]


def test_batches_are_bounded_however_many_pictures_the_products_have() -> None:
    house = House(batch=4)
    for number in range(4):
        put(house, f"p{number}", *PICTURES[number : number + 3])
    house.work()
    assert max(house.embedder.batches) == 4


def test_the_same_picture_in_two_products_is_embedded_once_in_a_batch() -> None:
    house = House()
    put(house, "p1", PICTURES[0])
    put(house, "p2", PICTURES[0])
    house.work()
    assert house.embedder.pictures_embedded == 1
    assert house.vectors.count() == 2


def test_a_full_batch_rings_so_that_another_thread_starts() -> None:
    house = House(batch=2)
    for number in range(3):
        put(house, f"p{number}", PICTURES[number])
    rings = house.doorbell.product_rings
    house.services.reconcile_products()
    assert house.doorbell.product_rings > rings


def test_ringing_without_work_does_nothing() -> None:
    house = House()
    assert house.services.reconcile_products() == 0
    assert house.embedder.batches == []


def test_an_outage_of_the_index_is_nobodys_fault() -> None:
    house = House()
    put(house, "p1", PICTURES[0])
    house.vectors.down = True
    for _ in range(10):
        with pytest.raises(IndexUnavailable):
            house.services.reconcile_products()
    house.vectors.down = False
    assert house.work() == 1
    assert house.services.read_product(key("p1")).state is ProductState.SEARCHABLE


def test_an_unforeseen_error_fails_only_its_product() -> None:
    house = House()
    put(house, "good", PICTURES[0])
    put(house, "bad", PICTURES[1])
    embed = house.embedder.embed_images
    poison = house.services.reconcile_products.reader.decode(PICTURES[1], 32)

    def refuse_poison(batch):  # type: ignore[no-untyped-def]
        if any((pixels == poison).all() for pixels in batch):
            raise ValueError("a kernel broke")
        return embed(batch)

    house.embedder.embed_images = refuse_poison  # type: ignore[method-assign]
    house.work()
    assert house.services.read_product(key("good")).state is ProductState.SEARCHABLE
    bad = house.services.read_product(key("bad"))
    assert (bad.state, bad.code) == (ProductState.FAILED, "internal")


def test_a_product_whose_worker_dies_every_time_is_set_aside_and_the_rest_goes_on() -> None:
    house = House()
    put(house, "poison", PICTURES[0])
    put(house, "good", PICTURES[1])
    deaths = 0
    while house.catalog.due():
        claims = house.catalog.claim(32, 60)
        if any(claim.key.product_id == "poison" for claim in claims):  # the worker dies of it
            deaths += 1
            house.clock.advance(61)
            house.services.sweep()
        else:
            house.catalog.release(claims)
            house.services.reconcile_products()
    assert deaths == 3
    poison = house.services.read_product(key("poison"))
    assert (poison.state, poison.code) == (ProductState.FAILED, "worker_lost")
    assert house.services.read_product(key("good")).state is ProductState.SEARCHABLE


def test_a_row_that_moved_on_while_it_was_worked_on_stays_due() -> None:
    house = House()
    put(house, "p1", PICTURES[0])
    upsert = house.vectors.upsert

    def upsert_and_be_overtaken(points):  # type: ignore[no-untyped-def]
        upsert(points)
        house.vectors.upsert = upsert  # type: ignore[method-assign]
        put(house, "p1", PICTURES[1])

    house.vectors.upsert = upsert_and_be_overtaken  # type: ignore[method-assign]
    house.services.reconcile_products()
    assert house.services.read_product(key("p1")).state is ProductState.PENDING
    house.work()
    record = house.services.read_product(key("p1"))
    assert record.state is ProductState.SEARCHABLE
    assert set(house.vectors.vectors_of(key("p1"))) == {record.pictures[0].content_hash}


def test_a_picture_whose_bytes_are_gone_fails_with_a_code() -> None:
    house = House()
    put(house, "p1", PICTURES[0])
    picture = house.services.read_product(key("p1")).pictures[0]
    house.blobs.delete(picture.content_hash or "")
    house.work()
    assert house.services.read_product(key("p1")).code == "picture_missing"


def test_the_same_ids_of_two_merchants_are_two_products() -> None:
    house = House()
    put(house, "p1", PICTURES[0], merchant="one")
    put(house, "p1", PICTURES[1], merchant="two")
    house.work()
    assert set(house.vectors.vectors_of(key("p1", "one"))).isdisjoint(house.vectors.vectors_of(key("p1", "two")))
    house.services.delete_product(key("p1", "one"))
    house.work()
    assert (house.vectors.count("one"), house.vectors.count("two")) == (0, 1)
