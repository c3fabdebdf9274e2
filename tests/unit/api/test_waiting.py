"""`Prefer: wait`: the answer comes once the product is searchable."""

import base64
import io
from dataclasses import replace
from typing import Any

import pytest

from backend.api.app import create_app
from backend.api.waiting import PutHeaders
from backend.domain.product import ProductKey, ProductRecord
from backend.domain.work import Work
from backend.errors import CatalogUnavailable, UrlRefused
from backend.settings import Settings
from tests import pictures
from tests.fakes.doorbell import FakeDoorbell
from tests.house import House

PHOTO = pictures.encode(pictures.photo(seed=1), "JPEG")
IMAGES = [{"data": base64.b64encode(PHOTO).decode()}]


class Diligent(FakeDoorbell):
    """Everything due is done while the bell rings: a worker faster than any."""

    house: House

    def ring(self, work: Work) -> None:
        self.house.work()


def diligent_house() -> House:
    bell = Diligent()
    house = House(doorbell=bell)
    bell.house = house
    return house


def client_of(house: House, *, threads: int = 8, wait_seconds: float = 30) -> Any:
    server = house.settings.server.model_copy(update={"threads": threads})
    limits = house.settings.limits.model_copy(update={"wait_seconds": wait_seconds})
    settings: Settings = house.settings.model_copy(update={"server": server, "limits": limits})
    return create_app(house.services, settings, key=None).test_client()


def put(client: Any, wait: str = "wait=5", images: object = None, product_id: str = "p1", **headers: str) -> Any:
    body = {"title": "A", "images": images or IMAGES}
    return client.put(f"/v1/products/{product_id}", json=body, headers={"Prefer": wait, **headers})


def test_a_new_product_is_answered_with_201_once_searchable_and_a_replaced_one_with_200() -> None:
    client = client_of(diligent_house())
    created, replaced = put(client), put(client)
    assert (created.status_code, replaced.status_code) == (201, 200)
    for answer, version in ((created, 1), (replaced, 2)):
        assert (answer.json["state"], answer.json["version"]) == ("searchable", version)
        assert answer.headers["Preference-Applied"] == "wait"
        assert answer.headers["Location"] == "/v1/products/p1"


def test_a_product_that_fails_while_its_upload_waits_is_422_with_the_reason_and_the_job() -> None:
    house = diligent_house()
    client = client_of(house)
    house.fetcher.answers["https://shop.example/a.jpg"] = UrlRefused("the host answered with status 404")
    answer = put(client, images=[{"url": "https://shop.example/a.jpg"}])
    problem = answer.get_json(force=True)
    assert (answer.status_code, problem["code"], problem["mend"]) == (422, "url_refused", UrlRefused.mend)
    assert problem["errors"][0]["field"] == "images[0]"
    job = answer.headers["Location"]
    assert job.removeprefix("/v1/jobs/") in problem["detail"]
    assert client.get(job).json["counts"]["failed"] == 1


def test_when_the_time_runs_out_the_answer_is_the_usual_202() -> None:
    answer = put(client_of(House(), wait_seconds=0.01), wait="wait=999999")  # the setting is the longest wait
    assert (answer.status_code, answer.json["state"]) == (202, "pending")
    assert "Preference-Applied" not in answer.headers


def test_without_the_preference_nobody_waits() -> None:
    assert put(client_of(diligent_house()), wait="respond-async").status_code == 202


def test_a_wait_ends_with_202_when_the_server_stops() -> None:
    house = House()

    def awaiting(key: ProductKey, version: int, seconds: float) -> None:
        client.application.config["DRAINING"].set()

    house.services = replace(house.services, await_product=awaiting)  # type: ignore[arg-type]
    client = client_of(house)
    assert put(client).status_code == 202


def test_a_part_that_goes_down_while_an_upload_waits_does_not_undo_its_202() -> None:
    house = House()

    def awaiting(key: ProductKey, version: int, seconds: float) -> None:
        raise CatalogUnavailable

    house.services = replace(house.services, await_product=awaiting)  # type: ignore[arg-type]
    answer = put(client_of(house))
    assert (answer.status_code, answer.json["version"]) == (202, 1)


def test_a_small_server_lets_nobody_wait() -> None:
    assert put(client_of(diligent_house(), threads=2)).status_code == 202


def test_beyond_a_third_of_the_threads_the_answer_is_202_at_once_and_the_place_is_given_back() -> None:
    house = House()
    real = house.services.await_product
    meanwhile: list[Any] = []

    def awaiting(key: ProductKey, version: int, seconds: float) -> ProductRecord | None:
        if not meanwhile:
            meanwhile.append(put(client, product_id="p2"))
        house.work()
        return real(key, version, seconds)

    house.services = replace(house.services, await_product=awaiting)  # type: ignore[arg-type]
    client = client_of(house, threads=5)  # a third of five is one
    assert put(client).status_code == 201
    assert meanwhile[0].status_code == 202
    assert put(client, product_id="p3").status_code == 201


def test_a_repetition_of_a_request_that_waited_gets_its_201_again() -> None:
    client = client_of(diligent_house())
    first, again = (put(client, **{"Idempotency-Key": "k"}) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json == again.json
    assert again.headers["Location"] == "/v1/products/p1"


def test_a_change_that_failed_while_its_upload_waited_used_its_key_up() -> None:
    house = diligent_house()
    client = client_of(house)
    url = "https://shop.example/a.jpg"
    house.fetcher.answers[url] = UrlRefused("the host answered with status 404")
    first, again = (put(client, images=[{"url": url}], **{"Idempotency-Key": "k"}) for _ in range(2))
    assert (first.status_code, again.status_code) == (422, 422)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (again.data, again.content_type) == (first.data, "application/problem+json")
    assert again.headers["Location"] == first.headers["Location"]
    assert client.get("/v1/products/p1").json["version"] == 1  # durable, as its job says
    assert put(client, **{"Idempotency-Key": "k"}).get_json(force=True)["code"] == "idempotency_key_reused"
    assert put(client, **{"Idempotency-Key": "another"}).status_code == 200


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ("wait=5", 5),
        ("Wait = 5", 5),
        ('wait="5"', 5),
        ("respond-async, wait=10", 10),
        ("wait=7; strict", 7),
        ("wait=5, wait=9", 5),
        ("wait", 0),
        ("wait=soon", 0),
        ("wait=-1", 0),
        ("await=5", 0),
        ("", 0),
    ],
)
def test_the_preference_is_read_as_rfc_7240_writes_it(prefer: str, seconds: int) -> None:
    assert PutHeaders.model_validate({"Prefer": prefer}).wait_seconds == seconds


def test_pictures_are_taken_by_address_and_show_it() -> None:
    house = House()
    client = client_of(house)
    house.fetcher.answers["https://shop.example/a.jpg"] = PHOTO
    sent = client.put("/v1/products/p1", json={"images": [{"url": "https://shop.example/a.jpg"}]})
    assert sent.status_code == 202
    assert sent.json["images"][0]["source_url"] == "https://shop.example/a.jpg"
    assert sent.json["images"][0]["image_id"] is None
    house.work()
    found = client.get("/v1/products/p1").json
    assert (found["state"], found["images"][0]["source_url"]) == ("searchable", "https://shop.example/a.jpg")


@pytest.mark.parametrize("image", [{}, {"url": "https://a.example/", "data": ""}, {"data": "", "image_id": "x"}])
def test_a_picture_of_a_json_body_is_exactly_one_thing(image: object) -> None:
    answer = put(client_of(House()), images=[image])
    assert (answer.status_code, answer.get_json(force=True)["errors"][0]["field"]) == (400, "images[0]")


def test_an_address_that_can_never_be_fetched_is_422_at_once() -> None:
    answer = put(client_of(House()), images=[{"url": "http://127.0.0.1/a.jpg"}])
    assert (answer.status_code, answer.get_json(force=True)["code"]) == (422, "url_not_allowed")
    form = {"product": '{"title": "A"}', "images": (io.BytesIO(PHOTO), "a.jpg")}
    assert client_of(House()).put("/v1/products/p1", data=form).status_code == 202
