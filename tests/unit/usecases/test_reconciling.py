"""Bringing the index to the latest rows, whatever happens to the messages and the parts."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from unittest.mock import patch

import pytest

from backend.domain.filters import AnyOf, Filter
from backend.domain.picture import Pixels
from backend.domain.product import ProductKey, ProductState
from backend.domain.work import Work
from backend.errors import CatalogUnavailable, ImageNotFound, IndexUnavailable, ModelUnavailable
from backend.imaging.reader import PillowReader
from backend.usecases.keep_pictures import Upload
from tests import pictures
from tests.factories import key, product
from tests.house import House

PICTURES = [pictures.encode(pictures.photo(64, 64, seed), "JPEG") for seed in range(8)]


def put(house: House, product_id: str, *images: bytes, merchant: str = "shop") -> str:
    uploads = [Upload("a.jpg", lambda data=data: data) for data in images]  # type: ignore[misc]
    return house.services.upload_product(product(product_id, merchant=merchant), uploads)[0].job_id


def test_pictures_uploaded_one_by_one_share_a_forward_pass() -> None:
    house = House()
    for number, data in enumerate(PICTURES):
        put(house, f"p{number}", data)
    assert house.reconcile() == 8
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
    rings = len(house.doorbell.rings)
    house.reconcile()
    assert house.doorbell.rings[rings:] == [Work.UPLOADS, Work.UPLOADS]  # as it starts, and as more is left


def test_ringing_without_work_does_nothing() -> None:
    house = House()
    assert house.reconcile() == 0
    assert house.embedder.batches == []


def test_an_outage_of_the_index_is_nobodys_fault() -> None:
    house = House()
    put(house, "p1", PICTURES[0])
    house.vectors.down = True
    with pytest.raises(IndexUnavailable):
        house.reconcile()
    for _ in range(10):
        assert house.reconcile() == 0  # claiming pauses: nothing is tried, nothing is blamed
    [pause] = [breaker for breaker in house.services.read_status.breakers if breaker.pause()]
    assert (pause.pause() or pytest.fail("not paused")).part == "index"
    house.vectors.down = False
    reopen(house)
    assert house.work() == 1
    assert house.services.read_product(key("p1")).state is ProductState.SEARCHABLE
    assert pause.pause() is None


def test_after_an_outage_one_product_is_the_probe() -> None:
    house = House()
    for number in range(4):
        put(house, f"p{number}", PICTURES[number])
    house.vectors.down = True
    for _ in range(5):
        reopen(house)
        with pytest.raises(IndexUnavailable):
            house.reconcile()
    house.vectors.down = False
    reopen(house)
    assert house.reconcile() == 1
    assert house.reconcile() == 3
    assert house.embedder.batches == [1, 3]


def test_new_prices_go_on_while_the_model_is_down() -> None:
    house = House()
    put(house, "p1", PICTURES[0])
    house.work()
    put(house, "p2", PICTURES[1])
    house.embedder.fail(RuntimeError("the device is gone"))
    with pytest.raises(ModelUnavailable):
        house.reconcile()
    house.services.patch_product(key("p1"), {"price": "5"})
    assert house.reconcile(Work.FACTS) == 1
    assert house.services.read_product(key("p1")).state is ProductState.SEARCHABLE
    assert house.services.read_product(key("p2")).state is ProductState.PENDING


def test_a_catalog_that_is_down_again_and_again_is_nobodys_fault_either() -> None:
    house = House()
    put(house, "p1", PICTURES[0])
    catalog = house.catalog
    broken = {name: getattr(catalog, name) for name in ("settle", "release")}
    for _ in range(5):
        for name in broken:
            setattr(catalog, name, catalog_is_down)
        reopen(house)
        with pytest.raises(CatalogUnavailable):
            house.reconcile()
        for name, method in broken.items():
            setattr(catalog, name, method)
    reopen(house)
    assert house.work() == 1
    assert house.services.read_product(key("p1")).state is ProductState.SEARCHABLE


def catalog_is_down(*_: object, **__: object) -> None:
    raise CatalogUnavailable("locked")


def reopen(house: House) -> None:
    """Let the pauses of the breakers pass."""
    for breaker in house.services.read_status.breakers:
        breaker._until = 0.0


def test_an_unforeseen_error_fails_only_its_product() -> None:
    house = House()
    put(house, "good", PICTURES[0])
    put(house, "bad", PICTURES[1])
    embed = house.embedder.embed_images
    poison = house.services.search_products.embed_query.reader.decode(PICTURES[1], 32)

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
    while house.catalog.waiting(Work.UPLOADS):
        claims = house.catalog.claim(Work.UPLOADS, 32, 60)
        if any(claim.key.product_id == "poison" for claim in claims):  # the worker dies of it
            deaths += 1
            house.clock.advance(61)
            house.services.sweep()
        else:
            house.catalog.release(claims)
            house.reconcile()
    assert deaths == 2
    poison = house.services.read_product(key("poison"))
    assert (poison.state, poison.code) == (ProductState.FAILED, "poison")
    assert house.services.read_product(key("good")).state is ProductState.SEARCHABLE


@pytest.mark.parametrize("written", [False, True])
def test_the_index_holds_nothing_of_a_product_that_was_set_aside(written: bool) -> None:
    """Neither its former version nor what its last workers wrote before they ended."""
    house = House()
    put(house, "p1", PICTURES[0])
    house.work()
    put(house, "p1", PICTURES[1])
    settle = house.catalog.settle
    for _ in range(2):
        if written:
            house.catalog.settle = lambda outcomes: None  # type: ignore[method-assign]
            house.reconcile()
            house.catalog.settle = settle  # type: ignore[method-assign]
        else:
            house.catalog.claim(Work.UPLOADS, 32, 60)
        house.clock.advance(61)
        house.services.sweep()
    house.work()  # sets it aside, which makes it due for the clearing
    house.work()
    assert house.services.read_product(key("p1")).code == "poison"
    assert house.vectors.count() == 0
    assert house.catalog.due() == 0


def test_a_row_that_moved_on_while_it_was_worked_on_stays_due() -> None:
    house = House()
    put(house, "p1", PICTURES[0])
    upsert = house.vectors.upsert

    def upsert_and_be_overtaken(points):  # type: ignore[no-untyped-def]
        upsert(points)
        house.vectors.upsert = upsert  # type: ignore[method-assign]
        put(house, "p1", PICTURES[1])

    house.vectors.upsert = upsert_and_be_overtaken  # type: ignore[method-assign]
    house.reconcile()
    assert house.services.read_product(key("p1")).state is ProductState.PENDING
    house.work()
    record = house.services.read_product(key("p1"))
    assert record.state is ProductState.SEARCHABLE
    assert set(house.vectors.vectors_of(key("p1"))) == {record.pictures[0].content_hash}


def test_a_late_tombstone_does_not_leave_a_wanted_picture_out() -> None:
    """A worker that lost its lease buries a picture between another's look at the index and its writing."""
    house = House()
    put(house, "p1", PICTURES[0])
    house.work()
    put(house, "p1", PICTURES[1])  # drops the first picture
    bury, set_facts, late = house.vectors.bury, house.vectors.set_facts, []

    def stall(tombstones):  # type: ignore[no-untyped-def]
        house.vectors.bury = bury  # type: ignore[method-assign]
        house.clock.advance(61)
        house.catalog.return_leases()
        put(house, "p1", PICTURES[0])  # brings it back, and another worker sees it in the index still
        late.extend(tombstones)
        house.reconcile()

    def write_after_the_late_one(*arguments, **named):  # type: ignore[no-untyped-def]
        bury(late)
        late.clear()
        set_facts(*arguments, **named)

    house.vectors.bury, house.vectors.set_facts = stall, write_after_the_late_one  # type: ignore[method-assign]
    house.reconcile()
    house.work()
    record = house.services.read_product(key("p1"))
    assert record.state is ProductState.SEARCHABLE
    assert set(house.vectors.vectors_of(key("p1"))) == {record.pictures[0].content_hash}


def test_what_waits_for_other_work_by_now_is_rung_for() -> None:
    house = House()
    put(house, "p1", PICTURES[0])
    house.work()
    house.services.patch_product(key("p1"), {"price": "5"})
    set_facts = house.vectors.set_facts

    def overtaken(*arguments, **named):  # type: ignore[no-untyped-def]
        house.vectors.set_facts = set_facts  # type: ignore[method-assign]
        put(house, "p1", PICTURES[1])  # rings while the product is held
        house.doorbell.rings.clear()
        set_facts(*arguments, **named)

    house.vectors.set_facts = overtaken  # type: ignore[method-assign]
    house.reconcile(Work.FACTS)
    assert Work.UPLOADS in house.doorbell.rings


def test_a_picture_whose_bytes_are_gone_fails_with_a_code() -> None:
    house = House()
    put(house, "p1", PICTURES[0])
    house.blobs.contents.clear()
    house.work()
    assert house.services.read_product(key("p1")).code == "picture_missing"


def test_a_picture_is_embedded_once_whoever_sends_it_again() -> None:
    house = House()
    put(house, "p1", PICTURES[0], merchant="one")
    house.work()
    job_id = put(house, "p2", PICTURES[0], PICTURES[1], merchant="two")
    house.work()
    assert house.embedder.pictures_embedded == 2
    assert house.vectors.count("two") == 2
    job = house.services.read_job("two", job_id)
    assert (job.embedded, job.reused, job.reuse_rate) == (1, 1, 0.5)
    with pytest.raises(ImageNotFound):  # the vector is shared, the picture is not
        house.services.read_image.original("one", content_hash_of(house, key("p2", "two"), 1))


def test_two_batches_at_once_embed_a_shared_picture_once() -> None:
    house = House(batch=1)
    put(house, "p1", PICTURES[0])
    put(house, "p2", PICTURES[0])
    embed = house.embedder.embed_images
    inside, go_on = threading.Event(), threading.Event()

    def embed_slowly(batch):  # type: ignore[no-untyped-def]
        inside.set()
        assert go_on.wait(10)
        return embed(batch)

    house.embedder.embed_images = embed_slowly  # type: ignore[method-assign]
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(house.reconcile)
        assert inside.wait(10)
        second = pool.submit(house.reconcile)
        go_on.set()
        assert first.result(10) + second.result(10) == 2
    assert house.embedder.pictures_embedded == 1
    assert house.vectors.count() == 2


def test_new_facts_of_ten_thousand_products_call_no_model() -> None:
    house = House()
    for number in range(100):
        put(house, f"p{number}", PICTURES[number % 8])
    house.work()
    embedded = house.embedder.pictures_embedded
    for number in range(100):
        house.services.patch_product(key(f"p{number}"), {"price": str(number)})
    house.work()
    assert house.embedder.pictures_embedded == embedded
    assert {record.product.price for record in house.catalog.products([key("p7"), key("p8")])} == {7, 8}


def test_leases_are_renewed_while_a_batch_takes_its_time() -> None:
    house = House()
    for number in range(4):
        put(house, f"p{number}", PICTURES[number])
    decode, seconds = PillowReader.decode, iter(range(0, 10_000, 25))

    def decode_slowly(reader: PillowReader, data: bytes, min_side: int) -> Pixels:
        house.clock.advance(25)
        return decode(reader, data, min_side)

    reconcile = replace(house.services.reconcile_products, monotonic=lambda: float(next(seconds)))
    with patch.object(PillowReader, "decode", decode_slowly):
        assert reconcile(Work.UPLOADS) == 4  # 100 s of work under leases of 60 s
    assert house.services.read_product(key("p3")).state is ProductState.SEARCHABLE


def content_hash_of(house: House, product: ProductKey, position: int) -> str:
    return house.services.read_product(product).pictures[position].content_hash or ""


def test_the_same_ids_of_two_merchants_are_two_products() -> None:
    house = House()
    put(house, "p1", PICTURES[0], merchant="one")
    put(house, "p1", PICTURES[1], merchant="two")
    house.work()
    assert set(house.vectors.vectors_of(key("p1", "one"))).isdisjoint(house.vectors.vectors_of(key("p1", "two")))
    house.services.delete_product(key("p1", "one"))
    house.work()
    assert (house.vectors.count("one"), house.vectors.count("two")) == (0, 1)


# --- the point that leads its product ---------------------------------------------------------------------------------


def leading(house: House, *, word: str, product_id: str = "p1") -> set[str]:
    """The pictures that lead a product; it is counted once and found once by the word."""
    assert house.vectors.count_products("shop", Filter()) == len(
        house.vectors.facet("shop", "brand", Filter(), limit=9)
    )
    assert [match.product_id for match in house.vectors.worded("shop", [word], Filter(), limit=9)] == [product_id]
    pictures_of_it = house.vectors.vectors_of(key(product_id))
    counted = (Filter((AnyOf("image", (image,)), AnyOf("lead", (1,)))) for image in pictures_of_it)
    return {str(it.must[0].values[0]) for it in counted if house.vectors.count_products("shop", it)}  # type: ignore[union-attr]


def hashes(house: House, product_id: str = "p1") -> list[str | None]:
    return [picture.content_hash for picture in house.services.read_product(key(product_id)).pictures]


def test_the_first_picture_leads_its_product() -> None:
    house = House()
    put(house, "p1", *PICTURES[:3])
    house.work()
    assert leading(house, word="linen") == {hashes(house)[0]}


def test_the_next_one_leads_when_the_first_is_replaced_or_moves_back_or_cannot_be_used() -> None:
    house = House()
    broken = pictures.encode(pictures.photo(64, 64, 9), "JPEG")[:-200]
    for shown in (PICTURES[:3], PICTURES[1:3], PICTURES[2:0:-1], [broken, PICTURES[4], PICTURES[2]]):
        put(house, "p1", *shown)
        house.work()
        usable = [item for item in hashes(house) if item in house.vectors.vectors_of(key("p1"))]
        assert leading(house, word="linen") == {usable[0]}


def test_new_facts_are_found_by_their_words() -> None:
    house = House()
    put(house, "p1", *PICTURES[:3])
    house.work()
    house.services.patch_product(key("p1"), {"title": "Divan"})
    house.work()
    assert leading(house, word="divan") == {hashes(house)[0]}
    assert house.vectors.worded("shop", ["linen"], Filter(), limit=9) == []
