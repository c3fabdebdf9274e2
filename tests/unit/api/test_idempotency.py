"""The same request under the same key is done once."""

import io
import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from backend.api.app import create_app
from backend.domain.work import KeptReceipt, Receipt
from backend.errors import CatalogUnavailable
from backend.usecases.keep_receipts import KeepReceipts
from backend.usecases.services import Services
from tests import factories, pictures
from tests.house import House

PHOTO = pictures.encode(pictures.photo(seed=1), "JPEG")
OTHER = pictures.encode(pictures.photo(seed=2), "JPEG")
KEY = {"Idempotency-Key": "k-1"}


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def client(house: House) -> Any:
    """Flask's test client; its answers' JSON is whatever it is."""
    return client_of(house, house.services)


def client_of(house: House, services: Services) -> Any:
    return create_app(services, house.settings, key=None).test_client()


def put(
    client: Any, headers: dict[str, str] = KEY, *, product_id: str = "p1", title: str = "A", image: bytes = PHOTO
) -> Any:
    form = {"product": json.dumps({"title": title}), "images": (io.BytesIO(image), "a.jpg")}
    return client.put(f"/v1/products/{product_id}", data=form, headers=headers)


def versions(house: House) -> list[int]:
    return [record.version for record in house.catalog.products([factories.key("p1", "default")])]


def test_an_upload_sent_again_is_done_once_and_answered_the_same(client: Any, house: House) -> None:
    first = put(client)
    again = put(client)  # the test client draws a new boundary for each form
    assert (first.status_code, again.status_code) == (202, 202)
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (again.json, again.headers["Location"]) == (first.json, first.headers["Location"])
    assert again.content_type == first.content_type
    assert versions(house) == [1]


@pytest.mark.parametrize(
    "other",
    [
        lambda client: put(client, title="B"),
        lambda client: put(client, image=OTHER),
        lambda client: put(client, product_id="p2"),
        lambda client: client.delete("/v1/products/p1", headers=KEY),
        lambda client: client.put("/v1/products/p1", json={"images": []}, headers=KEY),
    ],
    ids=["another fact", "another picture", "another product", "another method", "another content type"],
)
def test_a_key_used_for_another_request_is_refused(client: Any, house: House, other: Any) -> None:
    put(client)
    answer = other(client)
    problem = answer.get_json(force=True)
    assert (answer.status_code, problem["code"]) == (409, "idempotency_key_reused")
    assert problem["errors"][0]["field"] == "Idempotency-Key"
    assert versions(house) == [1]


def test_merchants_have_their_own_keys(client: Any) -> None:
    put(client)
    other = put(client, KEY | {"X-Shelfsight-Merchant": "other"}, title="B")
    assert (other.status_code, other.headers.get("Idempotency-Replayed")) == (202, None)


def test_an_error_is_not_kept_so_a_mended_request_goes_through_under_its_key(client: Any) -> None:
    patch = {"json": {"title": "B"}, "headers": {"Idempotency-Key": "k-2"}}
    assert client.patch("/v1/products/p1", **patch).status_code == 404
    put(client)
    assert client.patch("/v1/products/p1", **patch).json["version"] == 2
    assert client.patch("/v1/products/p1", **patch).json["version"] == 2
    assert client.get("/v1/products/p1").json["version"] == 2


def test_a_delete_sent_again_is_answered_as_at_first_though_the_product_is_gone(client: Any) -> None:
    put(client)
    headers = {"Idempotency-Key": "k-2"}
    first, again = (client.delete("/v1/products/p1", headers=headers) for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json == again.json
    assert client.delete("/v1/products/p1").status_code == 404


@pytest.mark.parametrize("as_form", [False, True])
def test_an_import_sent_again_is_one_import(client: Any, house: House, as_form: bool) -> None:
    def send(table: bytes) -> Any:
        form = {"file": (io.BytesIO(table), "products.csv")}
        body = {"data": form} if as_form else {"data": table, "content_type": "text/csv"}
        return client.post("/v1/imports", headers=KEY, **body)

    table = b"product_id,image\np1,https://shop.example/a.jpg\n"
    first, again = send(table), send(table)
    assert (first.status_code, again.status_code, again.headers["Idempotency-Replayed"]) == (202, 202, "true")
    assert (again.json, again.headers["Location"]) == (first.json, first.headers["Location"])
    assert house.catalog.imports_due() == 1
    assert send(table + b"p2,https://shop.example/b.jpg\n").status_code == 409


@dataclass(frozen=True)
class LateReceipts(KeepReceipts):
    """Finds nothing at first, as for a request whose twin is about to be faster."""

    looks: list[Receipt] = field(default_factory=list)

    def find(self, receipt: Receipt) -> KeptReceipt | None:
        self.looks.append(receipt)
        return None if len(self.looks) == 1 else super().find(receipt)


def test_of_two_twins_at_once_one_is_done_and_both_get_its_answer(client: Any, house: House) -> None:
    faster = put(client)
    slower = put(client_of(house, replace(house.services, receipts=LateReceipts(house.catalog))))
    assert (slower.status_code, slower.headers["Idempotency-Replayed"]) == (202, "true")
    assert slower.json == faster.json
    assert versions(house) == [1]


def test_a_request_cut_off_before_its_answer_is_found_by_its_job(client: Any, house: House) -> None:
    def down(receipt: Receipt, status: int, answer: str) -> None:
        raise CatalogUnavailable

    house.catalog.keep_answer = down  # type: ignore[method-assign]
    first, again = put(client), put(client)
    assert first.status_code == 202  # its change is durable, whatever became of the note
    assert (again.status_code, again.json) == (202, {"job_id": first.json["job_id"]})
    assert client.get(again.headers["Location"]).json["kind"] == "upload"
    assert versions(house) == [1]


@pytest.mark.parametrize("key", ["", "x" * 256, "k\xfc", "a\tb", "\x7f"])
def test_a_key_that_is_not_1_to_255_printable_characters_is_refused(client: Any, house: House, key: str) -> None:
    answer = client.delete("/v1/products/p1", headers={"Idempotency-Key": key})
    problem = answer.get_json(force=True)
    assert (answer.status_code, problem["code"]) == (400, "invalid_field")
    assert problem["errors"][0]["field"] == "Idempotency-Key"


def test_the_longest_key_is_taken(client: Any) -> None:
    assert put(client, {"Idempotency-Key": "~" * 255}).status_code == 202
