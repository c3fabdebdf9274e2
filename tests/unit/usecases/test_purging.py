"""What is old goes, each kind by itself: a part that is down keeps nothing of the others."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from backend.domain.work import Receipt, Remembered
from backend.errors import BlobsUnavailable, IndexUnavailable, JobNotFound
from backend.settings import Settings, WorkerSettings
from backend.usecases.keep_pictures import Upload
from tests.factories import content_hash, key, product
from tests.house import House
from tests.pictures import jpeg

DAY = 86_400.0
RECEIPT = Receipt("shop", "k1", "print")


class Down:
    """A store that does not answer."""

    def unused_since(self, _before: object) -> Iterator[str]:
        raise BlobsUnavailable("the directory cannot be read")

    def purge_tombstones(self, _before: object) -> None:
        raise IndexUnavailable("the index does not answer")


@pytest.fixture
def house() -> House:
    """A product that came and went, and all it left; a day and an hour ago."""
    it = House(Settings(worker=WorkerSettings(job_retention_days=1)))
    it.services.upload_product(product("p1"), [Upload("a.jpg", jpeg)], RECEIPT)
    it.work()
    it.services.delete_product(key("p1"))
    it.work()
    it.catalog.remember([Remembered("https://shop.example/a", content_hash("a"), None, None, it.clock())])
    it.clock.advance(DAY + 3_600)
    return it


def left(house: House) -> tuple[int, int, int, int]:
    """Jobs, receipts, tombstones and pictures."""
    state = house.catalog._state
    return len(state.jobs), len(state.receipts), len(house.vectors._points), len(house.blobs.contents)


def test_all_that_is_old_goes(house: House) -> None:
    assert left(house) == (2, 1, 1, 1)
    assert house.services.purge() == 1
    assert left(house) == (0, 0, 0, 0)


def test_a_job_can_be_read_as_long_as_it_is_kept(house: House) -> None:
    accepted, _ = house.services.upload_product(product("p2"), [Upload("a.jpg", jpeg)])
    house.work()
    house.clock.advance(DAY - 1)
    house.services.purge()
    assert house.services.read_job("shop", accepted.job_id).done
    house.clock.advance(2)
    house.services.purge()
    with pytest.raises(JobNotFound):
        house.services.read_job("shop", accepted.job_id)
    assert house.services.read_product(key("p2")).state == "searchable"


def test_an_address_is_remembered_for_a_month(house: House) -> None:
    url = "https://shop.example/a"
    house.services.purge()
    assert house.catalog.recall([url])
    house.clock.advance(timedelta(days=30).total_seconds())
    house.services.purge()
    assert not house.catalog.recall([url])


def test_pictures_that_cannot_be_looked_at_keep_nothing_else(house: House) -> None:
    purge = replace(house.services.purge, blobs=Down())  # type: ignore[arg-type] # only what a purge asks
    with pytest.raises(BlobsUnavailable):
        purge()
    assert left(house) == (0, 0, 0, 1)


def test_an_index_that_is_down_keeps_no_pictures_and_the_first_failure_is_told(house: House) -> None:
    with pytest.raises(IndexUnavailable):
        replace(house.services.purge, vectors=Down())()  # type: ignore[arg-type] # only what a purge asks
    assert left(house) == (0, 0, 1, 0)
    with pytest.raises(IndexUnavailable):
        replace(house.services.purge, vectors=Down(), blobs=Down())()  # type: ignore[arg-type]
