"""Faults of a whole server: its broker frozen or emptied, its database locked, itself killed in mid-import."""

import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from backend.queueing.celery_app import TASKS, celery_app
from backend.queueing.private_valkey import broker_url
from tests import pictures
from tests.bad_inputs.case import put, zip_of
from tests.installation import Installation

pytestmark = pytest.mark.slow

ROWS = 300
LOCKED_SECONDS = 13.0  # longer than a write waits for another (10 s)


def photo(seed: int) -> bytes:
    return pictures.encode(pictures.photo(64, 64, seed=seed), "JPEG")


def searchable(server: Installation) -> tuple[int, int]:
    """Products and points, once nothing is due."""
    server.wait_until(server.settled, 120)
    status = server.get("/v1/status")
    return status["products"]["searchable"], status["index"]["points"]


def test_uploads_are_accepted_while_the_broker_is_frozen_and_indexed_when_it_is_back(
    installation: Installation,
) -> None:
    installation.start()
    broker = installation.pids()["broker"]
    os.kill(broker, signal.SIGSTOP)
    try:
        for n in range(10):
            installation.put(f"f-{n}", photo(n))
    finally:
        os.kill(broker, signal.SIGCONT)
    assert searchable(installation) == (10, 10)


def test_a_broker_that_lost_everything_costs_nothing(installation: Installation) -> None:
    installation.environment |= {"SHELFSIGHT_WORKER__BATCH": "1", "SHELFSIGHT_WORKER__THREADS": "1"}
    installation.start()
    for n in range(60):
        installation.put(f"w-{n}", photo(n))
    installation.kill_everything_and_wipe_the_broker()
    installation.start()
    assert searchable(installation) == (60, 60)


def test_the_same_message_ten_times_changes_nothing(installation: Installation) -> None:
    installation.start()
    celery = celery_app(broker_url(installation.data_dir / "broker"))
    with closing(celery):
        for n in range(10):
            installation.put(f"t-{n}", photo(n))
            for name in TASKS:
                celery.send_task(name)
    assert searchable(installation) == (10, 10)
    assert installation.get("/v1/products/t-0")["version"] == 1


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """The database, held by another process's transaction."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


def test_a_database_locked_for_longer_than_anybody_waits_is_503_or_late_and_nothing_confirmed_is_lost(
    installation: Installation,
) -> None:
    installation.start()
    installation.put("before", photo(100))
    installation.wait_until(installation.settled)

    def upload(number: int) -> httpx.Response:
        return installation.send(put({}, photo(number), path=f"/v1/products/l-{number}"))

    with ThreadPoolExecutor(4) as pool, locked(installation.data_dir / "catalog.db"):
        answers = [pool.submit(upload, number) for number in range(4)]
        threading.Event().wait(LOCKED_SECONDS)
        assert installation.get("/v1/products/before")["state"] == "searchable"
        assert installation.search(photo(100), limit=1)[0]["product_id"] == "before"
        early = [answer.result() for answer in answers if answer.done()]
    told = [answer.result() for answer in answers]
    assert early, "nobody was answered while the database was locked"
    assert {answer.status_code for answer in told} <= {202, 503}
    for refused in (answer for answer in told if answer.status_code == 503):
        assert refused.json()["code"] == "catalog_unavailable"
        assert int(refused.headers["Retry-After"]) > 0
    accepted = {number for number, answer in enumerate(told) if answer.status_code == 202}
    count = len(accepted) + 1
    assert searchable(installation) == (count, count)
    assert upload(7).status_code == 202
    assert searchable(installation) == (count + 1, count + 1)


def test_a_server_killed_in_the_middle_of_an_import_reads_every_row_exactly_once(installation: Installation) -> None:
    # a product that happens to be in hand at two of the three kills would be set aside as poison
    installation.environment |= {"SHELFSIGHT_WORKER__BATCH": "4", "SHELFSIGHT_WORKER__MAX_ATTEMPTS": "5"}
    installation.start()
    lines = [f"r-{n},Row {n},{n}.jpg" for n in range(ROWS)]
    content = zip_of(
        {
            "products.csv": "\n".join(["product_id,title,image", *lines]).encode(),
            **{f"{n}.jpg": photo(n) for n in range(ROWS)},
        }
    )
    job = installation.import_zip(content)
    for share in (0.1, 0.4, 0.7):
        installation.wait_until(lambda wanted=ROWS * share: rows_read(installation, job) >= wanted, 120)  # type: ignore[misc] # binds this turn's
        installation.kill("server")
        installation.wait_until(installation.answers, 120)
    installation.wait_until(lambda: installation.get(f"/v1/jobs/{job}")["done"], 120)
    items = installation.get(f"/v1/jobs/{job}/items", limit=1000)["items"]
    assert [item["row"] for item in items] == list(range(1, ROWS + 1))
    assert {item["state"] for item in items} == {"searchable"}
    assert searchable(installation) == (ROWS, ROWS)
    assert {installation.get(f"/v1/products/r-{n}")["version"] for n in range(0, ROWS, 30)} == {1}
    assert sorted((installation.data_dir / "imports").iterdir()) == []


def rows_read(server: Installation, job: str) -> int:
    return int(sum(server.get(f"/v1/jobs/{job}")["counts"].values()))
