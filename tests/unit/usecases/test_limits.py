"""What is taken on, what is kept, and for how long."""

import itertools
from dataclasses import replace

import pytest

from backend.domain.importing import ImportOptions
from backend.domain.product import ProductState
from backend.domain.work import Receipt, Work
from backend.errors import QueueFull, RepeatedRequest, ReusedKey, TooManyImports
from backend.settings import LimitSettings, Settings
from backend.usecases.keep_pictures import Upload
from tests import pictures
from tests.factories import key, product
from tests.house import House
from tests.unit.usecases.test_importing import catalog

PHOTOS = [pictures.encode(pictures.photo(64, 64, seed), "JPEG") for seed in range(4)]
DAY = 86_400.0


def put(house: House, product_id: str, photo: bytes = PHOTOS[0], merchant: str = "shop") -> None:
    house.services.upload_product(product(product_id, merchant=merchant), [Upload("a.jpg", lambda: photo)])


def limited(**limits: int) -> House:
    return House(Settings(limits=LimitSettings(**limits)))


def test_a_merchant_whose_queue_is_full_is_sent_away_and_others_are_not() -> None:
    house = limited(queue_per_merchant=2)
    put(house, "p1")
    put(house, "p2")
    with pytest.raises(QueueFull):
        house.services.admit.products("shop")
    house.services.admit.products("other")


def test_the_whole_queue_has_a_limit_of_its_own() -> None:
    house = limited(queue_per_merchant=2, queue_total=2)
    put(house, "p1", merchant="one")
    put(house, "p1", merchant="two")
    with pytest.raises(QueueFull):
        house.services.admit.products("three")


def test_so_many_imports_may_be_unread() -> None:
    house = limited(open_imports=1)
    house.services.admit.imports("shop")
    house.services.open_import("shop", catalog("A,t,1,a.jpg\n"), ImportOptions())
    with pytest.raises(TooManyImports):
        house.services.admit.imports("shop")
    house.services.admit.imports("other")


def test_an_import_is_read_no_faster_than_the_queue_takes_it() -> None:
    house = limited(queue_per_merchant=64)
    rows = "".join(f"P{n:03d},t,1,a.jpg\n" for n in range(200))
    job_id = house.services.open_import("shop", catalog(rows), ImportOptions()).job_id
    seconds = itertools.count()
    admit = replace(house.services.admit, monotonic=lambda: float(next(seconds)))  # so that each count is a new one
    import_products = replace(house.services.import_products, admit=admit)
    longest = 0
    for _ in range(200):
        import_products()
        longest = max(longest, house.catalog.due())
        house.reconcile(Work.IMPORTS)
    assert longest < 64 + 64
    assert house.services.read_job("shop", job_id).done


def test_a_picture_no_product_has_any_more_goes_after_a_while() -> None:
    house = House()
    put(house, "kept", PHOTOS[0])
    put(house, "gone", PHOTOS[1])
    house.work()
    house.services.delete_product(key("gone"))
    house.work()
    assert house.services.purge() == 0  # an upload under way may need it
    house.clock.advance(DAY + 1)
    assert house.services.purge() == 1
    kept = house.services.read_product(key("kept"))
    assert list(house.blobs.contents) == [kept.pictures[0].content_hash]


def test_a_picture_that_was_sent_again_stays() -> None:
    house = House()
    put(house, "p1", PHOTOS[0])
    put(house, "p1", PHOTOS[1])
    house.work()
    house.clock.advance(DAY + 1)
    house.services.upload_product.keep_pictures([Upload("a.jpg", lambda: PHOTOS[0])])  # its row is about to come
    assert house.services.purge() == 0


def test_a_file_whose_import_never_came_to_be_goes_and_an_unread_one_stays() -> None:
    house = House()
    house.services.open_import("shop", catalog("A,t,1,a.jpg\n"), ImportOptions())
    house.files.keep(catalog("A,t,1,a.jpg\n"))  # the process died before the job was written
    house.clock.advance(DAY + 1)
    house.services.purge()
    assert len(house.files.contents) == 1
    assert house.work() == 1


def test_a_start_without_company_removes_what_no_import_reads_whatever_the_clock_says() -> None:
    house = House()
    house.services.open_import("shop", catalog("A,t,1,a.jpg\n"), ImportOptions())
    house.files.keep(catalog("A,t,1,a.jpg\n"))  # the process died after the last row, or before there was a job
    house.clock.advance(-3_600)
    house.services.purge.take_over()
    assert len(house.files.contents) == 1
    assert house.work() == 1


def test_tombstones_go_when_no_writer_can_be_so_late() -> None:
    house = House()
    put(house, "p1")
    house.work()
    house.services.delete_product(key("p1"))
    house.work()
    assert house.vectors._points
    house.clock.advance(3_601)
    house.services.purge()
    assert not house.vectors._points


def test_a_request_with_a_key_is_done_once() -> None:
    house = House()
    receipt = Receipt("shop", "k1", "print")
    uploads = [Upload("a.jpg", lambda: PHOTOS[0])]
    accepted, _ = house.services.upload_product(product("p1"), uploads, receipt)
    house.services.receipts.keep(receipt, 202, "{}")
    with pytest.raises(RepeatedRequest):
        house.services.upload_product(product("p1"), uploads, receipt)
    kept = house.services.receipts.find(receipt)
    assert kept is not None
    assert (kept.job_id, kept.status, kept.answer) == (accepted.job_id, 202, "{}")
    assert house.services.read_product(key("p1")).version == 1
    with pytest.raises(ReusedKey):
        house.services.receipts.find(Receipt("shop", "k1", "another print"))
    assert house.services.receipts.find(Receipt("other", "k1", "print")) is None
    house.clock.advance(DAY + 1)
    assert house.services.receipts.find(receipt) is None


def test_a_repeated_import_leaves_no_file() -> None:
    house = House()
    receipt = Receipt("shop", "k1", "print")
    house.services.open_import("shop", catalog("A,t,1,a.jpg\n"), ImportOptions(), receipt)
    with pytest.raises(RepeatedRequest):
        house.services.open_import("shop", catalog("A,t,1,a.jpg\n"), ImportOptions(), receipt)
    assert len(house.files.contents) == 1


def test_a_caller_may_wait_for_a_product() -> None:
    house = House()
    put(house, "p1")
    assert house.services.await_product(key("p1"), 1, 0.02) is None
    house.work()
    record = house.services.await_product(key("p1"), 1, 0)
    assert record is not None
    assert record.state is ProductState.SEARCHABLE


def test_a_small_merchant_is_served_in_the_first_batch_beside_a_large_one() -> None:
    house = House(batch=8)
    for number in range(100):
        put(house, f"p{number:03d}", merchant="large")
    for number in range(3):
        put(house, f"p{number}", merchant="small")
    house.reconcile()
    assert house.vectors.count("small") == 3
    assert house.vectors.count("large") == 5


def test_a_file_of_more_rows_than_an_import_takes_ends_with_a_code_and_keeps_what_was_read() -> None:
    house = limited(max_import_rows=100)
    rows = "".join(f"P{n:03d},t,1,a.jpg\n" for n in range(150))
    job_id = house.services.open_import("shop", catalog(rows), ImportOptions()).job_id
    house.work()
    job = house.services.read_job("shop", job_id)
    assert (job.code, job.done, job.total) == ("import_too_many_rows", True, 100)
