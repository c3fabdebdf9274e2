"""Faults inside one process: messages lost or doubled, a full disk, a clock set back, a deadly picture."""

import errno
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from backend.api.app import create_app
from backend.bootstrap import Built, build
from backend.domain.picture import Pixels, Vectors
from backend.domain.product import ProductState
from backend.domain.work import Outcome, Work
from backend.errors import Poison
from backend.settings import Settings, StoreSettings
from backend.usecases.keep_pictures import Upload
from tests import pictures
from tests.bad_inputs.case import CSV, IMPORTS, put, raw
from tests.factories import key, product
from tests.fakes.embedder import FakeEmbedder
from tests.house import FakeClock, House

NO_BROKER = "redis://127.0.0.1:1/0"  # nothing listens on port 1
LEASE = Settings().worker.lease_seconds
HOUR = 3600.0
RECONCILED = tuple(kind for kind in Work if kind is not Work.FETCH)


def upload(house: House, product_id: str = "p-1", *, seed: int = 0) -> None:
    data = pictures.encode(pictures.photo(64, 64, seed=seed), "JPEG")
    house.services.upload_product(product(product_id), [Upload("a.jpg", lambda: data)])


def state_of(house: House, product_id: str = "p-1") -> ProductState:
    record = house.catalog.product(key(product_id))
    assert record is not None
    return record.state


class SteppingEmbedder(FakeEmbedder):
    """Sets the clock while it works. `clock` is given to it once there is one."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.clock: FakeClock | None = None
        self._seconds = seconds

    def embed_images(self, pictures: Sequence[Pixels]) -> Vectors:
        assert self.clock is not None
        self.clock.advance(self._seconds)
        return super().embed_images(pictures)


# --- messages ---------------------------------------------------------------------------------------------------------


def test_what_is_uploaded_while_the_broker_is_down_is_rung_for_by_the_sweep() -> None:
    house = House()
    house.doorbell.down = True
    upload(house)
    assert house.doorbell.rings == []
    house.doorbell.down = False
    house.services.sweep()
    assert house.doorbell.rings == [Work.UPLOADS]
    house.reconcile()
    assert state_of(house) is ProductState.SEARCHABLE


def test_the_same_message_ten_times_at_once_embeds_each_picture_once() -> None:
    house = House()
    for n in range(8):
        upload(house, f"p-{n}", seed=n)
    start = threading.Barrier(10)

    def message(_: int) -> int:
        start.wait()
        return house.reconcile()

    with ThreadPoolExecutor(10) as pool:
        settled = list(pool.map(message, range(10)))
    settled.append(house.work())
    assert sum(settled) == 8
    assert (house.embedder.pictures_embedded, house.vectors.count()) == (8, 8)
    assert house.work() == 0


# --- the clock --------------------------------------------------------------------------------------------------------


def test_work_accepted_before_the_clock_is_set_back_an_hour_does_not_wait_for_that_hour() -> None:
    house = House()
    upload(house)
    house.clock.advance(-HOUR)
    house.services.sweep()
    assert house.reconcile() == 1
    assert state_of(house) is ProductState.SEARCHABLE


def test_a_clock_set_back_while_a_worker_is_at_work_changes_nothing() -> None:
    embedder = SteppingEmbedder(-HOUR)
    house = House(embedder=embedder)
    embedder.clock = house.clock
    upload(house)
    assert house.reconcile() == 1
    assert state_of(house) is ProductState.SEARCHABLE


def test_a_clock_set_forward_gives_the_work_away_and_the_late_first_worker_changes_nothing() -> None:
    house = House()
    upload(house)
    [late] = house.catalog.claim(Work.UPLOADS, 1, LEASE)
    house.clock.advance(HOUR)
    house.services.sweep()
    assert house.reconcile() == 1
    house.catalog.settle([Outcome(late, code="internal")])
    assert state_of(house) is ProductState.SEARCHABLE
    assert house.work() == 0


def test_a_dead_workers_lease_outlives_a_clock_set_back_by_that_hour_and_no_longer() -> None:
    """Its end is a time of day. Nothing is lost: the product waits that long, or until a restart takes all back."""
    house = House()
    upload(house)
    house.catalog.claim(Work.UPLOADS, 1, LEASE)  # its worker dies now
    house.clock.advance(-HOUR)
    house.clock.advance(LEASE + 1)
    house.services.sweep()
    assert not house.catalog.waiting(Work.UPLOADS)
    house.clock.advance(HOUR)
    house.services.sweep()
    assert house.reconcile() == 1


def test_a_restart_takes_back_leases_whatever_the_clock_says() -> None:
    house = House()
    upload(house)
    house.catalog.claim(Work.UPLOADS, 1, LEASE)
    house.clock.advance(-HOUR)
    house.services.sweep.take_over()
    assert house.reconcile() == 1


# --- poison -----------------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """Stands for the end of the process: nothing in the house may catch it."""


class DeadlyEmbedder(FakeEmbedder):
    """Ends its worker whenever the one picture is among those it is given."""

    def __init__(self, deadly: bytes) -> None:
        super().__init__()
        house = House()
        self._deadly = house.services.search_products.embed_query.reader.decode(deadly, self.picture_side).tobytes()
        self.kills = 0

    def embed_images(self, pictures: Sequence[Pixels]) -> Vectors:
        if any(pixels.tobytes() == self._deadly for pixels in pictures):
            self.kills += 1
            raise Killed
        return super().embed_images(pictures)


def test_a_product_that_kills_its_worker_is_set_aside_after_two_and_the_rest_goes_on() -> None:
    deadly = pictures.encode(pictures.photo(64, 64, seed=99), "JPEG")
    embedder = DeadlyEmbedder(deadly)
    house = House(embedder=embedder)
    for n in range(4):
        upload(house, f"good-{n}", seed=n)
    upload(house, "deadly", seed=99)
    for _ in range(20):
        try:
            house.work()
        except Killed:
            house.services.sweep.take_over()  # the process is started again
    assert {state_of(house, f"good-{n}") for n in range(4)} == {ProductState.SEARCHABLE}
    record = house.catalog.product(key("deadly"))
    assert record is not None
    assert (record.state, record.code) == (ProductState.FAILED, Poison.code)
    assert embedder.kills == house.settings.worker.max_attempts
    assert house.catalog.due() == 0


# --- real stores ------------------------------------------------------------------------------------------------------


@pytest.fixture
def built(tmp_path: Path, tiny_clip: Path) -> Iterator[Built]:
    """SQLite, files and the index as they are used, without a broker."""
    settings = Settings(data_dir=tmp_path / "data", model=str(tiny_clip), stores=StoreSettings(broker_url=NO_BROKER))
    built = build(settings)
    yield built
    built.services.close()


@pytest.fixture
def client(built: Built, tmp_path: Path) -> FlaskClient:
    return create_app(built.services, Settings(data_dir=tmp_path / "data"), key=None).test_client()


def work(built: Built) -> None:
    services = built.services
    while services.import_products() or any(services.reconcile_products(kind) for kind in RECONCILED):
        pass


@pytest.mark.slow
def test_two_workers_on_one_product_that_keeps_changing_leave_its_last_state(built: Built) -> None:
    services, versions = built.services, 40
    ended = threading.Event()

    def worker() -> None:
        while not ended.is_set():
            for kind in RECONCILED:
                services.reconcile_products(kind)

    workers = [threading.Thread(target=worker) for _ in range(2)]
    for thread in workers:
        thread.start()
    for n in range(versions):
        data = pictures.encode(pictures.photo(64, 64, seed=n), "JPEG")
        services.upload_product(product("p-1", title=f"version {n}"), [Upload("a.jpg", lambda data=data: data)])  # type: ignore[misc] # binds this turn's
    ended.set()
    for thread in workers:
        thread.join()
    work(built)
    record = services.read_product(key("p-1"))
    assert (record.version, record.state) == (versions, ProductState.SEARCHABLE)
    assert services.read_status("shop").points == 1


@pytest.mark.slow
def test_a_full_disk_is_503_and_loses_nothing_and_ends_when_there_is_room(
    built: Built, client: FlaskClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def sent(name: str, seed: int) -> tuple[int, str | None, str]:
        request = put({"title": name}, pictures.jpeg(64, 64, seed=seed), path=f"/v1/products/{name}")
        answer = client.put(f"/v1/products/{name}", data=request.read(), headers=dict(request.headers))
        return answer.status_code, answer.headers.get("Retry-After"), answer.get_json(force=True).get("code", "")

    assert sent("before", 1)[0] == 202
    work(built)
    with monkeypatch.context() as full:
        full.setattr(os, "fsync", no_room)
        status, retry_after, code = sent("during", 2)
        assert (status, code) == (503, "blobs_unavailable")
        assert int(retry_after or 0) > 0
        imported = raw("POST", IMPORTS, "product_id,image\nduring,http://shop.example/a.jpg\n", CSV)
        answer = client.post(IMPORTS, data=imported.read(), headers=dict(imported.headers))
        assert (answer.status_code, answer.get_json(force=True)["code"]) == (503, "blobs_unavailable")
        assert client.get("/v1/search?q=red").get_json(force=True)["matches"]
    assert client.get("/v1/products/during").status_code == 404
    assert sent("during", 2)[0] == 202
    work(built)
    assert client.get("/v1/products/during").get_json(force=True)["state"] == "searchable"
    assert client.get("/v1/products/before").get_json(force=True)["state"] == "searchable"
    assert sorted((tmp_path / "data").rglob("*.part")) == []
    assert sorted((tmp_path / "data" / "imports").iterdir()) == []
