"""Pictures that come from addresses: fetched once, checked, tried again while that may help, never in anyone's way."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event
from typing import Any

import pytest

from backend.domain.picture import PictureState
from backend.domain.product import ProductState
from backend.domain.work import Work
from backend.errors import BlobsUnavailable, Unavailable, UrlBroken, UrlNotAllowed, UrlRefused
from backend.ports import Fetched
from backend.settings import FetchSettings, Settings
from backend.usecases.keep_pictures import Upload
from tests import pictures
from tests.factories import key, product
from tests.house import House

PHOTO = pictures.encode(pictures.photo(64, 64, 1), "JPEG")
OTHER = pictures.encode(pictures.photo(64, 64, 2), "JPEG")
URL = "https://shop.example/a.jpg"
OTHER_URL = "https://shop.example/b.jpg"


def put(house: House, product_id: str, *urls: str, picture: bytes | None = None) -> None:
    uploads = [Upload("", url=url) for url in urls]
    if picture is not None:
        uploads.append(Upload("here.jpg", lambda: picture))
    house.services.upload_product(product(product_id), uploads)


@pytest.fixture
def house() -> House:
    house = House(Settings(fetch=FetchSettings(tries=3, backoff_seconds=10, fresh_seconds=100)))
    house.fetcher.answers = {URL: PHOTO, OTHER_URL: OTHER}
    return house


def test_a_picture_is_fetched_and_searchable(house: House) -> None:
    put(house, "p1", URL)
    assert house.doorbell.rings == [Work.FETCH]
    house.work()
    record = house.services.read_product(key("p1"))
    assert record.state is ProductState.SEARCHABLE
    assert (record.pictures[0].url, record.pictures[0].state) == (URL, PictureState.SEARCHABLE)
    assert house.services.read_image.original("shop", record.pictures[0].content_hash or "") == PHOTO


def test_an_address_many_products_share_is_fetched_once(house: House) -> None:
    for number in range(40):
        put(house, f"p{number}", URL)
    house.work()
    assert house.fetcher.fetched == [URL]
    assert house.vectors.count() == 40


def test_an_address_fetched_long_ago_is_asked_whether_it_changed(house: House) -> None:
    put(house, "p1", URL)
    house.work()
    house.clock.advance(101)
    put(house, "p2", URL)
    house.work()
    assert house.fetcher.fetched == [URL, URL]
    assert house.embedder.pictures_embedded == 1
    house.clock.advance(101)
    house.fetcher.answers[URL] = OTHER
    put(house, "p3", URL)
    house.work()
    assert house.services.read_product(key("p3")).pictures[0].content_hash != (
        house.services.read_product(key("p2")).pictures[0].content_hash
    )


def test_an_address_whose_stored_picture_was_purged_is_fetched_anew(house: House) -> None:
    put(house, "p1", URL)
    house.work()
    house.services.delete_product(key("p1"))
    house.work()
    house.blobs.contents.clear()
    put(house, "p2", URL)
    house.work()
    assert house.services.read_product(key("p2")).state is ProductState.SEARCHABLE


def test_a_host_that_fails_is_tried_again_later_and_only_so_often(house: House) -> None:
    house.fetcher.answers[URL] = UrlBroken("status 503")
    put(house, "p1", URL)
    tries = []
    for _ in range(20):
        house.work()
        tries.append(len(house.fetcher.fetched))
        house.clock.advance(10)
    assert tries[0] == 1  # once, and then a pause
    assert tries[-1] == 3
    record = house.services.read_product(key("p1"))
    assert (record.state, record.code) == (ProductState.FAILED, "url_host_failed")


def test_a_host_that_comes_back_is_forgiven(house: House) -> None:
    house.fetcher.answers[URL] = UrlBroken("status 503")
    put(house, "p1", URL, OTHER_URL)
    house.work()
    house.fetcher.answers[URL] = PHOTO
    house.clock.advance(16)
    house.work()
    assert house.services.read_product(key("p1")).state is ProductState.SEARCHABLE
    assert house.fetcher.fetched.count(OTHER_URL) == 1  # what came is kept


def test_what_will_not_pass_is_not_tried_again(house: House) -> None:
    house.fetcher.answers[URL] = UrlRefused("status 404")
    put(house, "p1", URL)
    house.work()
    house.clock.advance(1_000)
    house.work()
    assert house.fetcher.fetched == [URL]
    assert house.services.read_product(key("p1")).code == "url_refused"


def test_a_page_where_a_picture_should_be_fails_with_the_pictures_code(house: House) -> None:
    house.fetcher.answers[URL] = b"<html>404, but politely</html>"
    put(house, "p1", URL)
    house.work()
    assert house.services.read_product(key("p1")).code == "image_unsupported_type"


def test_a_dead_address_beside_a_picture_fails_alone(house: House) -> None:
    put(house, "p1", "https://shop.example/gone.jpg", picture=PHOTO)
    house.work()
    record = house.services.read_product(key("p1"))
    assert record.state is ProductState.SEARCHABLE
    assert [item.code for item in record.pictures] == ["url_refused", None]


def test_the_old_pictures_stay_until_the_new_ones_are_here(house: House) -> None:
    put(house, "p1", picture=OTHER)
    house.work()
    before = set(house.vectors.vectors_of(key("p1")))
    house.fetcher.answers[URL] = UrlBroken("status 503")
    put(house, "p1", URL)
    house.work()
    assert set(house.vectors.vectors_of(key("p1"))) == before
    house.fetcher.answers[URL] = PHOTO
    house.clock.advance(16)
    house.work()
    assert set(house.vectors.vectors_of(key("p1"))).isdisjoint(before)


def test_an_address_that_can_never_be_fetched_is_refused_at_the_door(house: House) -> None:
    with pytest.raises(UrlNotAllowed):
        put(house, "p1", "http://127.0.0.1/a.jpg")
    assert house.catalog.product(key("p1")) is None


def test_a_full_disk_is_not_the_pictures_fault(house: House) -> None:
    put(house, "p1", URL)
    house.blobs.error = BlobsUnavailable("no space")
    with pytest.raises(BlobsUnavailable):
        house.services.fetch_pictures()
    house.blobs.error = None
    for breaker in house.services.read_status.breakers:
        breaker._until = 0.0
    house.work()
    assert house.services.read_product(key("p1")).state is ProductState.SEARCHABLE


def untried(detail: str = "left alone") -> UrlBroken:
    err = UrlBroken(detail)
    err.tried = False
    return err


def test_a_picture_whose_host_had_no_turn_for_it_is_never_given_up(house: House) -> None:
    house.fetcher.answers[URL] = untried()
    put(house, "p1", URL, OTHER_URL)
    for _ in range(10):
        house.work()
        house.clock.advance(31)
    assert len(house.fetcher.fetched) == 11
    house.fetcher.answers[URL] = PHOTO
    house.work()
    record = house.services.read_product(key("p1"))
    assert [item.code for item in record.pictures] == [None, None]


def test_an_address_that_is_tried_in_vain_fails_alone_beside_one_that_waits(house: House) -> None:
    house.fetcher.answers |= {URL: untried(), OTHER_URL: UrlBroken("status 503")}
    put(house, "p1", URL, OTHER_URL)
    for _ in range(6):
        house.work()
        house.clock.advance(100)
    pictures_now = house.services.read_product(key("p1")).pictures
    assert [(item.unfetched, item.code) for item in pictures_now] == [(True, None), (False, "url_host_failed")]
    house.fetcher.answers[URL] = PHOTO
    house.clock.advance(100)
    house.work()
    assert house.services.read_product(key("p1")).state is ProductState.SEARCHABLE


def test_what_nobody_foresaw_costs_one_address_and_not_the_batch(house: House) -> None:
    house.fetcher.answers[URL] = RuntimeError("a fault of ours")
    put(house, "p1", URL)
    put(house, "p2", OTHER_URL)
    house.work()
    assert house.services.read_product(key("p1")).code == "internal"
    assert "RuntimeError" in (house.services.read_product(key("p1")).detail or "")
    assert house.services.read_product(key("p2")).state is ProductState.SEARCHABLE


class Two(ThreadPoolExecutor):
    """One thread; says when it was given two tasks."""

    def __init__(self) -> None:
        super().__init__(1)
        self.full, self._given = Event(), 0

    def submit(self, *args: Any, **kwargs: Any) -> Any:
        future = super().submit(*args, **kwargs)
        self._given += 1
        if self._given == 2:
            self.full.set()
        return future


def test_a_fetch_that_was_called_off_gives_the_claims_back(house: House) -> None:
    executor, go_on = Two(), Event()

    class Slow:
        def fetch(self, url: str, **_: object) -> Fetched:
            assert go_on.wait(10)
            return Fetched(PHOTO, None, None)

    fetch = replace(house.services.fetch_pictures, fetcher=Slow(), executor=executor, lease_seconds=0.03)  # type: ignore[arg-type]
    put(house, "p1", URL, OTHER_URL)
    with ThreadPoolExecutor(1) as threads:
        batch = threads.submit(fetch)
        assert executor.full.wait(10)
        executor.shutdown(wait=False, cancel_futures=True)
        go_on.set()
        with pytest.raises(Unavailable, match="shutting down"):
            batch.result(10)
    assert_given_back(house)


def test_a_fetch_that_begins_when_the_process_ends_gives_the_claims_back(house: House) -> None:
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    put(house, "p1", URL, OTHER_URL)
    with pytest.raises(Unavailable, match="shutting down"):
        replace(house.services.fetch_pictures, executor=executor)()
    assert_given_back(house)


def assert_given_back(house: House) -> None:
    for breaker in house.services.read_status.breakers:
        breaker._until = 0.0
    house.work()
    assert house.services.read_product(key("p1")).state is ProductState.SEARCHABLE


def test_a_clock_that_was_set_back_makes_no_address_fresh_for_ever(house: House) -> None:
    put(house, "p1", URL)
    house.work()
    house.clock.advance(-100_000)
    put(house, "p2", URL)
    house.work()
    assert house.fetcher.fetched == [URL, URL]
