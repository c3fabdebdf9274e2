"""Jobs: tried again, stopped, followed; patches by file; rows that end their reader."""

import io
from dataclasses import replace

import pytest

from backend.domain.importing import FileForm, ImportMode, ImportOptions
from backend.domain.job import Cancelled, ItemState, Job, Retried
from backend.domain.product import ProductState
from backend.errors import JobNotFound, UrlBroken
from backend.settings import FetchSettings, Settings
from backend.usecases.keep_pictures import Upload
from tests import pictures
from tests.factories import key, product
from tests.house import House
from tests.unit.usecases.test_importing import catalog, states

PHOTO = pictures.encode(pictures.photo(64, 64, 1), "JPEG")
PATCH = ImportOptions(form=FileForm.CSV, mode=ImportMode.PATCH)


def put(house: House, product_id: str) -> None:
    house.services.upload_product(product(product_id), [Upload("a.jpg", lambda: PHOTO)])


def test_only_what_failed_and_can_succeed_is_tried_again() -> None:
    house = House(Settings(fetch=FetchSettings(tries=1)))
    url = "https://shop.example/a.jpg"
    house.fetcher.answers = {url: UrlBroken("status 503")}
    rows = f"good,t,1,a.jpg\nurl,t,1,{url}\nbad,t,x,a.jpg\n"
    job_id = house.services.open_import("shop", catalog(rows), ImportOptions()).job_id
    house.work()
    assert [state for _, state, _ in states(house, job_id)] == ["searchable", "failed", "failed"]
    house.fetcher.answers[url] = PHOTO
    assert house.services.retry_job("shop", job_id) == Retried(again=1, left=1)
    assert not house.services.read_job("shop", job_id).done
    house.work()
    assert states(house, job_id) == [
        (1, "searchable", None),
        (2, "searchable", None),
        (3, "failed", "invalid_field"),
    ]
    assert house.services.read_job("shop", job_id).done


def test_a_cancelled_import_is_not_read_on_and_new_products_are_withdrawn() -> None:
    house = House()
    put(house, "old")
    house.work()
    rows = "old,new title,1,a.jpg\n" + "".join(f"new{n:03d},t,1,a.jpg\n" for n in range(100))
    job_id = house.services.open_import("shop", catalog(rows), ImportOptions()).job_id
    replace(house.services.import_products, seconds=0.0)()
    assert house.services.cancel_job("shop", job_id) == Cancelled(withdrawn=63, going_on=1)
    house.work()
    job = house.services.read_job("shop", job_id)
    assert (job.total, job.done) == (64, True)
    assert (job.counts[ItemState.CANCELLED], job.counts[ItemState.SEARCHABLE]) == (63, 1)
    assert house.services.read_product(key("old")).product.title == "new title"
    assert house.vectors.count() == 1
    assert house.catalog.count("shop")["pending"] == 0


def test_jobs_of_others_can_neither_be_tried_again_nor_stopped() -> None:
    house = House()
    job_id = house.services.open_import("shop", catalog("A,t,1,a.jpg\n"), ImportOptions()).job_id
    for verb in (house.services.retry_job, house.services.cancel_job):
        with pytest.raises(JobNotFound):
            verb("other", job_id)
    with pytest.raises(JobNotFound):
        house.services.watch_job("other", job_id, 1)


def test_a_job_is_followed_to_its_end() -> None:
    house = House()
    job_id = house.services.open_import("shop", catalog("A,t,1,a.jpg\n"), ImportOptions()).job_id

    def work(_seconds: float) -> None:
        house.work()

    watch = replace(house.services.watch_job, sleep=work)
    seen = [job for job in watch("shop", job_id, 60) if isinstance(job, Job)]
    assert [job.done for job in seen] == [False, True]


def test_a_job_nothing_happens_to_gives_signs_of_life_and_ends_in_time() -> None:
    house = House()
    job_id = house.services.open_import("shop", catalog("A,t,1,a.jpg\n"), ImportOptions()).job_id
    now = [0.0]
    watch = replace(
        house.services.watch_job,
        sleep=lambda seconds: now.__setitem__(0, now[0] + seconds),
        monotonic=lambda: now[0],
    )
    seen = list(watch("shop", job_id, 60))
    assert seen[1:] == [None] * 6
    assert now[0] == 60


def test_a_patch_file_changes_facts_and_calls_no_model() -> None:
    house = House()
    for product_id in ("A", "B"):
        put(house, product_id)
    house.work()
    embedded = house.embedder.pictures_embedded
    text = "product_id,price,title\nA,5.00,\nB,6.00,New title\nC,7.00,\nA,8.00,\nB,x,\n"
    job_id = house.services.open_import("shop", io.BytesIO(text.encode()), PATCH).job_id
    house.work()
    assert states(house, job_id) == [
        (1, "superseded", None),
        (2, "searchable", None),
        (3, "failed", "product_not_found"),
        (4, "searchable", None),
        (5, "failed", "invalid_field"),
    ]
    a, b = house.services.read_product(key("A")).product, house.services.read_product(key("B")).product
    assert (str(a.price), a.title) == ("8.00", product().title)
    assert (str(b.price), b.title) == ("6.00", "New title")
    assert house.embedder.pictures_embedded == embedded


def test_a_patch_that_is_overtaken_builds_on_what_overtook_it() -> None:
    house = House()
    put(house, "A")
    house.work()
    house.services.open_import("shop", io.BytesIO(b"product_id,price\nA,5.00\n"), PATCH)
    record = house.catalog.record_import

    def be_overtaken(step, *, lease_seconds):  # type: ignore[no-untyped-def]
        house.catalog.record_import = record  # type: ignore[method-assign]
        house.services.patch_product(key("A"), {"title": "overtaken"})
        record(step, lease_seconds=lease_seconds)

    house.catalog.record_import = be_overtaken  # type: ignore[method-assign]
    house.work()
    found = house.services.read_product(key("A")).product
    assert (found.title, str(found.price)) == ("overtaken", "5.00")


def test_a_row_that_ends_its_reader_is_set_aside_and_the_others_are_read() -> None:
    house = House()
    rows = "".join(f"P{n},t,1,{'killer.jpg' if n == 5 else 'a.jpg'}\n" for n in range(9))
    source = catalog(rows, **{"a.jpg": PHOTO, "killer.jpg": PHOTO + b"KILL"})
    job_id = house.services.open_import("shop", source, ImportOptions()).job_id
    put_blob = house.blobs.put

    def die_of_the_killer(data: bytes) -> str:
        if data.endswith(b"KILL"):
            raise SystemExit("killed")
        return put_blob(data)

    house.blobs.put = die_of_the_killer  # type: ignore[method-assign]
    for _ in range(10):
        try:
            house.work()
        except SystemExit:
            house.clock.advance(61)
            house.services.sweep()
    assert [code for _, _, code in states(house, job_id)] == [None] * 5 + ["poison"] + [None] * 3
    assert house.services.read_job("shop", job_id).done
    assert house.services.read_product(key("P8")).state is ProductState.SEARCHABLE
