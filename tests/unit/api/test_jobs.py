"""Jobs: their pace, their ledger, their events; trying again, and stopping."""

import base64
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from backend.api.app import create_app
from backend.errors import IndexUnavailable
from backend.usecases.services import Services
from backend.usecases.watch_job import WatchJob
from tests import pictures
from tests.house import House

DATA = base64.b64encode(pictures.encode(pictures.photo(seed=1), "JPEG")).decode()
URL = "https://shop.example/a.jpg"


@pytest.fixture
def house() -> House:
    return House()


def client_of(house: House, services: Services | None = None, *, threads: int = 8, stream_seconds: float = 60) -> Any:
    server = house.settings.server.model_copy(update={"threads": threads})
    limits = house.settings.limits.model_copy(update={"stream_seconds": stream_seconds})
    settings = house.settings.model_copy(update={"server": server, "limits": limits})
    return create_app(services or house.services, settings, key=None).test_client()


def upload(client: Any, product_id: str = "p1", image: dict[str, str] | None = None) -> str:
    """The new job's address."""
    answer = client.put(f"/v1/products/{product_id}", json={"images": [image or {"data": DATA}]})
    assert answer.status_code == 202
    return f"/v1/jobs/{answer.json['job_id']}"


def open_table(client: Any, table: bytes) -> str:
    answer = client.post("/v1/imports", data=table, content_type="text/csv")
    assert answer.status_code == 202, answer.text
    return str(answer.headers["Location"])


def test_a_job_tells_its_counts_pace_times_and_how_many_pictures_were_embedded(house: House) -> None:
    client = client_of(house)
    job = upload(client)
    waiting = client.get(job).json
    assert (waiting["counts"]["pending"], waiting["rate"], waiting["eta_seconds"]) == (1, None, None)
    assert waiting["pictures"] == {"embedded": 0, "reused": 0, "reuse_rate": None}
    house.work()
    done = client.get(job).json
    assert done["pictures"] == {"embedded": 1, "reused": 0, "reuse_rate": 0.0}
    assert done["done"] is True
    assert done["created_at"] == done["first_settled_at"] == done["finished_at"] == "2026-01-01T00:00:00Z"
    assert done["cancelled_at"] is None


def test_polling_a_job_that_did_not_change_costs_no_body(house: House) -> None:
    client = client_of(house)
    job = upload(client)
    headers = {"If-None-Match": client.get(job).headers["ETag"]}
    unchanged = client.get(job, headers=headers)
    assert (unchanged.status_code, unchanged.data) == (304, b"")
    house.work()
    changed = client.get(job, headers=headers)
    assert (changed.status_code, changed.json["done"]) == (200, True)


def test_an_item_tells_its_line_and_its_attempts(house: House) -> None:
    client = client_of(house)
    job = open_table(client, b'product_id,title,image\nA,"two\nlines",https://shop.example/a.jpg\nB,,\n')
    house.work()
    first, second = client.get(f"{job}/items").json["items"]
    assert (first["row"], first["line"], second["row"], second["line"]) == (1, 2, 2, 4)
    assert first["attempts"] > 0
    assert second["attempts"] == 0


def test_a_failed_row_is_tried_again(house: House) -> None:
    client = client_of(house)
    job = upload(client, image={"url": URL})
    house.work()
    assert client.get(job).json["counts"]["failed"] == 1
    house.fetcher.answers[URL] = base64.b64decode(DATA)
    answer = client.post(f"{job}/retry", headers={"Idempotency-Key": "k"})
    assert (answer.status_code, answer.json) == (202, {"job_id": job.split("/")[-1], "again": 1, "left": 0})
    house.work()
    assert client.get(job).json["counts"]["searchable"] == 1


def test_what_has_not_started_is_cancelled(house: House) -> None:
    client = client_of(house)
    job = upload(client)
    answer = client.post(f"{job}/cancel", headers={"Idempotency-Key": "k"})
    assert (answer.status_code, answer.json) == (202, {"job_id": job.split("/")[-1], "withdrawn": 1, "going_on": 0})
    [item] = client.get(f"{job}/items?state=cancelled").json["items"]
    assert item["product_id"] == "p1"
    assert client.get(job).json["cancelled_at"] is not None


@pytest.mark.parametrize(("method", "path"), [("POST", "retry"), ("POST", "cancel"), ("GET", "events")])
def test_a_job_of_another_merchant_is_not_there(house: House, method: str, path: str) -> None:
    client = client_of(house)
    job = upload(client)
    answer = client.open(f"{job}/{path}", method=method, headers={"X-Shelfsight-Merchant": "other"})
    assert (answer.status_code, answer.get_json(force=True)["code"]) == (404, "job_not_found")


def watched(house: House, between: Callable[[], object]) -> Services:
    """Services that look at a job again without waiting, after doing something else."""
    ticks = itertools.count(step=0.125)  # several looks fit into what the door asks for at once

    def sleep(seconds: float) -> None:
        between()

    return replace(house.services, watch_job=WatchJob(house.services.read_job, sleep, ticks.__next__))


def events(text: str) -> list[dict[str, str]]:
    """The events of a stream; comments and `retry` alone are none."""
    blocks = (dict(line.split(": ", 1) for line in block.splitlines()) for block in text.split("\n\n") if block)
    return [block for block in blocks if "event" in block]


def test_a_jobs_events_begin_with_its_state_follow_its_changes_and_end_when_it_is_done(house: House) -> None:
    client = client_of(house, watched(house, house.work))
    job = upload(client)
    answer = client.get(f"{job}/events")
    assert answer.content_type.startswith("text/event-stream")
    assert answer.text.startswith("retry: ")
    found = events(answer.text)
    assert [event["event"] for event in found] == ["progress", "progress", "done"]
    assert [json.loads(event["data"])["done"] for event in found] == [False, True, True]
    now = client.get(job)
    assert json.loads(found[-1]["data"]) == now.json
    assert f'"{found[-1]["id"]}"' == now.headers["ETag"]


def test_a_stream_ends_when_the_server_stops(house: House) -> None:
    def stop() -> None:
        client.application.config["DRAINING"].set()

    client = client_of(house, watched(house, stop))
    job = upload(client)
    answer = client.get(f"{job}/events")
    assert [event["event"] for event in events(answer.text)] == ["progress"]
    answer.close()
    assert client.application.config["IN_FLIGHT"].value == 0


def test_a_stream_ends_after_its_time_and_writes_while_nothing_changes(house: House) -> None:
    client = client_of(house, watched(house, lambda: None), stream_seconds=1e-9)
    job = upload(client)
    assert events(client.get(f"{job}/events").text) == []
    client = client_of(house, watched(house, lambda: None), stream_seconds=0.01)
    text = client.get(f"{job}/events").text
    assert "\n\n: " in text
    assert [event["event"] for event in events(text)] == ["progress"]


def test_a_stream_whose_part_goes_down_ends_and_the_next_one_is_told(house: House) -> None:
    def broken() -> None:
        raise IndexUnavailable

    client = client_of(house, watched(house, broken))
    job = upload(client)
    assert [event["event"] for event in events(client.get(f"{job}/events").text)] == ["progress"]


def test_beyond_a_third_of_the_threads_a_stream_is_503_until_another_closes(house: House) -> None:
    client = client_of(house, threads=3)
    job = upload(client)
    open_stream = client.get(f"{job}/events")
    assert next(iter(open_stream.response)).startswith(b"retry")
    assert client.application.config["IN_FLIGHT"].value == 1  # a stopping server waits for it
    refused = client.get(f"{job}/events")
    assert (refused.status_code, refused.get_json(force=True)["code"]) == (503, "too_many_streams")
    assert int(refused.headers["Retry-After"]) > 0
    open_stream.close()
    assert client.application.config["IN_FLIGHT"].value == 0
    house.work()
    assert [event["event"] for event in events(client.get(f"{job}/events").text)] == ["progress", "done"]


def test_a_stream_nobody_reads_gives_its_place_back(house: House) -> None:
    client = client_of(house, threads=3)
    job = upload(client)
    for method in ("HEAD", "GET", "GET"):
        answer = client.open(f"{job}/events", method=method)
        assert answer.status_code == 200
        answer.close()  # as a server does, also when the client is gone before the first byte
