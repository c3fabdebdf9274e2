"""Imports: each row on its own, each step durable, each interruption survived."""

import io
import zipfile

import pytest

from backend.domain.importing import ImportOptions
from backend.domain.job import ItemState
from backend.errors import InvalidArchive, JobNotFound
from tests import pictures
from tests.factories import key
from tests.house import House

PICTURE = pictures.encode(pictures.photo(64, 64), "JPEG")
HEADER = "product_id,title,price,image\n"


def catalog(rows: str, **images: bytes) -> io.BytesIO:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("products.csv", HEADER + rows)
        for name, data in (images or {"a.jpg": PICTURE}).items():
            archive.writestr(name, data)
    buffer.seek(0)
    return buffer


def states(house: House, job_id: str) -> list[tuple[int, str, str | None]]:
    items = house.services.read_job.items("shop", job_id, state=None, after_row=0, limit=1_000)
    return [(item.row, item.state.value, item.code) for item in items]


@pytest.fixture
def house() -> House:
    return House()


def test_every_row_is_searchable_or_has_a_reason(house: House) -> None:
    source = catalog(
        "A,good,1,a.jpg\nB,bad price,x,a.jpg\nC,no file,1,missing.jpg\n"
        "D,no picture,1,\nE,bad picture,1,b.jpg\nF,good,1,a.jpg|b.jpg\n",
        **{"a.jpg": PICTURE, "b.jpg": b"this is no picture"},
    )
    job_id = house.services.open_import("shop", source, ImportOptions()).job_id
    house.work()
    assert states(house, job_id) == [
        (1, "searchable", None),
        (2, "failed", "invalid_field"),
        (3, "failed", "picture_missing"),
        (4, "failed", "pictures_missing"),
        (5, "failed", "image_unsupported_type"),
        (6, "searchable", None),
    ]
    job = house.services.read_job("shop", job_id)
    assert (job.total, job.done, job.counts[ItemState.FAILED]) == (6, True, 4)
    assert house.services.read_product(key("F")).pictures[1].code == "image_unsupported_type"


def test_an_import_rings_and_is_read_by_a_worker(house: House) -> None:
    job_id = house.services.open_import("shop", catalog("A,t,1,a.jpg\n"), ImportOptions()).job_id
    assert house.doorbell.import_rings == 1
    job = house.services.read_job("shop", job_id)
    assert (job.total, job.done) == (None, False)


def test_an_import_goes_on_where_a_dead_worker_left_it(house: House) -> None:
    rows = "".join(f"P{n:03d},t,1,a.jpg\n" for n in range(150))
    job_id = house.services.open_import("shop", catalog(rows), ImportOptions()).job_id
    record = house.catalog.record_import
    steps: list[object] = []

    def die_after_the_first(step, *, lease_seconds):  # type: ignore[no-untyped-def]
        if steps:
            raise SystemExit("killed")
        steps.append(step)
        record(step, lease_seconds=lease_seconds)

    house.catalog.record_import = die_after_the_first  # type: ignore[method-assign]
    with pytest.raises(SystemExit):
        house.services.import_products()
    house.catalog.record_import = record  # type: ignore[method-assign]
    assert house.services.import_products() is False  # the dead worker's lease holds
    house.clock.advance(61)
    house.services.sweep()
    house.work()
    assert [state for _, state, _ in states(house, job_id)] == ["searchable"] * 150
    assert house.vectors.count() == 150


def test_an_import_taken_over_by_another_worker_is_left_to_it(house: House) -> None:
    job_id = house.services.open_import("shop", catalog("A,t,1,a.jpg\n"), ImportOptions()).job_id
    record = house.catalog.record_import

    def lose_the_lease_first(step, *, lease_seconds):  # type: ignore[no-untyped-def]
        house.clock.advance(61)
        house.catalog.return_leases()
        house.catalog.record_import = record  # type: ignore[method-assign]
        record(step, lease_seconds=lease_seconds)

    house.catalog.record_import = lose_the_lease_first  # type: ignore[method-assign]
    assert house.services.import_products() is True
    assert states(house, job_id) == []
    house.work()
    assert states(house, job_id) == [(1, "searchable", None)]


def test_a_product_named_twice_keeps_its_last_row(house: House) -> None:
    job_id = house.services.open_import("shop", catalog("A,first,1,a.jpg\nA,second,2,a.jpg\n"), ImportOptions()).job_id
    house.work()
    assert [state for _, state, _ in states(house, job_id)] == ["superseded", "searchable"]
    assert house.services.read_product(key("A")).product.title == "second"


def test_the_file_goes_with_its_last_row_and_not_before(house: House) -> None:
    house.services.open_import("shop", catalog("A,t,1,a.jpg\n"), ImportOptions())
    house.services.open_import("shop", catalog("A,t,1,a.jpg\n"), ImportOptions())
    assert len(house.files.contents) == 2
    house.services.import_products()
    assert len(house.files.contents) == 1
    house.work()
    assert house.files.contents == {}
    assert house.services.read_product(key("A")).version == 2


def test_an_empty_catalog_is_done_at_once(house: House) -> None:
    job_id = house.services.open_import("shop", catalog(""), ImportOptions()).job_id
    house.work()
    job = house.services.read_job("shop", job_id)
    assert (job.total, job.done) == (0, True)


def test_exactly_one_step_of_rows_ends_as_well(house: House) -> None:
    job_id = house.services.open_import(
        "shop", catalog("".join(f"P{n},t,1,a.jpg\n" for n in range(64))), ImportOptions()
    ).job_id
    house.work()
    job = house.services.read_job("shop", job_id)
    assert (job.total, job.done) == (64, True)


def test_a_file_that_is_none_is_refused_at_the_door_and_leaves_no_job(house: House) -> None:
    with pytest.raises(InvalidArchive):
        house.services.open_import("shop", io.BytesIO(b"no zip"), ImportOptions())
    assert house.catalog.imports_due() == 0


def test_an_import_whose_file_is_gone_ends_with_a_code(house: House) -> None:
    job_id = house.services.open_import("shop", catalog("A,t,1,a.jpg\n"), ImportOptions()).job_id
    claim = house.catalog.claim_import(60)
    assert claim is not None
    house.catalog.yield_import(claim)
    house.files.delete(claim.source)
    house.work()
    assert house.services.read_job("shop", job_id).code == "import_file_missing"


def test_another_merchants_job_is_not_there(house: House) -> None:
    job_id = house.services.open_import("shop", catalog("A,t,1,a.jpg\n"), ImportOptions()).job_id
    with pytest.raises(JobNotFound):
        house.services.read_job("other", job_id)
    with pytest.raises(JobNotFound):
        house.services.read_job.items("other", job_id, state=None, after_row=0, limit=10)
