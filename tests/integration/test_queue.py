"""The queue on a real Valkey: bells, a worker thread, and a broker that dies, hangs or cannot read its files."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.domain.work import Work
from backend.queueing import private_valkey
from backend.queueing.celery_app import IMPORT_PRODUCTS, RECONCILE_UPLOADS, TASKS, celery_app
from backend.queueing.doorbell import CeleryDoorbell
from backend.settings import WorkerSettings
from tests.factories import key, product
from tests.house import House
from tests.pictures import jpeg
from workers.lifecycle import Upkeep, WorkerThread
from workers.tasks import register_tasks

pytestmark = pytest.mark.slow


class Broker:
    """A private Valkey in a folder, as the supervisor starts it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.url = private_valkey.broker_url(folder)
        self._log = (folder / "valkey.log").open("ab")
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(private_valkey.command(self.folder), stdout=self._log, stderr=self._log)
        wait_until(lambda: private_valkey.answers(self.folder) or self.process.poll() is not None)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.kill()
        self._log.close()


def wait_until(holds, seconds: float = 20.0) -> None:  # type: ignore[no-untyped-def]
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "not in time"
        time.sleep(0.01)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path / "broker")
    yield broker
    broker.close()


@pytest.fixture
def bell(broker: Broker) -> Iterator[CeleryDoorbell]:
    bell = CeleryDoorbell(celery_app(broker.url), broker.url)
    yield bell
    bell.close()


def waiting(bell: CeleryDoorbell) -> int:
    return sum(int(bell._redis.llen(name)) for name in TASKS)


def test_many_rings_are_one_message_until_somebody_answers(bell: CeleryDoorbell) -> None:
    for _ in range(50):
        bell.ring(Work.UPLOADS)
    assert waiting(bell) == 1
    bell.answer(RECONCILE_UPLOADS)
    bell.ring(Work.UPLOADS)
    assert waiting(bell) == 2


def test_rings_nobody_hears_for_days_do_not_fill_the_broker(bell: CeleryDoorbell) -> None:
    for _ in range(150):
        bell.answer(RECONCILE_UPLOADS)  # as if the bell had forgotten that it was rung
        bell.ring(Work.UPLOADS)
    assert waiting(bell) == 100


def test_the_bells_do_not_silence_each_other(bell: CeleryDoorbell) -> None:
    for work in Work:
        bell.ring(work)
    bell.ring_imports()
    assert [int(bell._redis.llen(name)) for name in TASKS] == [1] * 5  # each in a queue of its own
    bell.answer(IMPORT_PRODUCTS)
    bell.ring(Work.UPLOADS)
    assert waiting(bell) == 5


def test_a_dead_broker_never_raises_and_is_left_alone_for_a_moment(broker: Broker, bell: CeleryDoorbell) -> None:
    broker.kill()
    bell.ring(Work.UPLOADS)
    assert not bell.reachable()
    broker.start()
    bell.ring(Work.UPLOADS)  # within the pause: not even tried
    assert waiting(bell) == 0

    def rung() -> bool:
        bell.ring(Work.UPLOADS)
        return waiting(bell) == 1

    wait_until(rung, 10)


def test_a_frozen_broker_does_not_hold_an_upload(broker: Broker, bell: CeleryDoorbell) -> None:
    broker.process.send_signal(signal.SIGSTOP)
    done = threading.Event()

    def upload_twenty() -> None:
        for _ in range(20):
            bell.ring(Work.UPLOADS)
        done.set()

    threading.Thread(target=upload_twenty, daemon=True).start()
    assert done.wait(10)


def test_a_worker_thread_hears_the_bell_and_stops_in_order(broker: Broker, bell: CeleryDoorbell) -> None:
    """One worker per process: Celery keeps process-wide state, so everything about it is one test."""
    house = House(doorbell=bell)  # type: ignore[arg-type] # the real bell instead of the fake one
    app = celery_app(broker.url)
    register_tasks(app, house.services, bell)
    worker = WorkerThread(app, threads=2, name="test@shelfsight")
    worker.start()
    assert worker.ready.wait(20)
    from backend.usecases.keep_pictures import Upload

    house.services.upload_product(product("p1"), [Upload("a.jpg", jpeg)])
    wait_until(lambda: house.services.read_product(key("p1")).state == "searchable")

    house.vectors.down = True  # an outage is logged, not retried in a circle, and costs no attempt
    house.services.upload_product(product("p2"), [Upload("a.jpg", jpeg)])
    wait_until(lambda: house.embedder.pictures_embedded >= 1)
    house.vectors.down = False
    broker.kill()  # and while the broker is away nothing is lost either
    house.services.upload_product(product("p3"), [Upload("a.jpg", jpeg)])
    broker.start()
    sweep = Upkeep(house.services, WorkerSettings(sweep_seconds=0.2))
    sweep.start()
    for name in ("p2", "p3"):
        wait_until(lambda name=name: house.services.read_product(key(name)).state == "searchable", 40)
    sweep.stop()
    assert worker.stop()


def test_an_orphan_of_an_earlier_run_is_ended(tmp_path: Path) -> None:
    broker = Broker(tmp_path / "broker")
    private_valkey.end_orphan(broker.folder)
    assert broker.process.wait(10) is not None
    assert not private_valkey.answers(broker.folder)
    broker.close()


def test_files_the_broker_cannot_read_are_set_aside(tmp_path: Path) -> None:
    broker = Broker(tmp_path / "broker")
    bell = CeleryDoorbell(celery_app(broker.url), broker.url)
    bell.ring(Work.UPLOADS)
    bell.close()
    broker.kill()
    for file in (broker.folder / "appendonlydir").glob("*.incr.aof"):
        file.write_bytes(os.urandom(4_096) + file.read_bytes() + bytes(4_096))
    broker.start()
    assert broker.process.poll() is not None  # it refuses
    aside = private_valkey.set_damage_aside(broker.folder)
    assert aside is not None
    assert aside.exists()
    broker.start()
    assert private_valkey.answers(broker.folder)
    broker.close()


def test_a_folder_with_a_long_path_still_gets_a_socket(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 100) / "broker"
    folder.mkdir(parents=True)
    path = private_valkey.socket_path(folder)
    assert len(os.fsencode(path)) <= 100
    assert path.parent.stat().st_mode & 0o777 == 0o700
    broker = Broker(folder)
    assert private_valkey.answers(folder)
    broker.close()
    path.parent.rmdir() if not any(path.parent.iterdir()) else None
