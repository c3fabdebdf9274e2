"""Products, pictures, jobs and searches over HTTP."""

import base64
import io
import json
import zipfile
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from PIL import Image

from backend.api.app import create_app
from backend.errors import IndexUnavailable
from tests import pictures
from tests.house import House

PHOTO = pictures.encode(pictures.photo(seed=1), "JPEG")
OTHER = pictures.encode(pictures.photo(seed=2), "JPEG")


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def client(house: House) -> Any:
    """Flask's test client; its answers' JSON is whatever it is."""
    return create_app(house.services, house.settings, key=None).test_client()


def put(client: Any, product_id: str, facts: object, *images: bytes) -> Any:
    files = [(io.BytesIO(image), "photo.jpg") for image in images]
    return client.put(f"/v1/products/{product_id}", data={"product": json.dumps(facts), "images": files})


def test_a_form_upload_answers_202_with_job_version_and_pictures(client: Any) -> None:
    answer = put(client, "p1", {"title": "Dress", "price": "5.00"}, PHOTO, b"no picture, only text")
    assert answer.status_code == 202
    assert answer.headers["Location"] == "/v1/products/p1"
    assert answer.json["version"] == 1
    assert [item["code"] for item in answer.json["images"]] == [None, "image_unsupported_type"]
    assert client.get(f"/v1/jobs/{answer.json['job_id']}").json["counts"]["pending"] == 1


def test_a_json_upload_takes_base64_and_known_pictures(client: Any, house: House) -> None:
    data = base64.b64encode(PHOTO).decode()
    first = client.put("/v1/products/p1", json={"images": [{"data": f"data:image/jpeg;base64,{data}"}]})
    image_id = first.json["images"][0]["image_id"]
    second = client.put("/v1/products/p2", json={"title": "Same", "images": [{"image_id": image_id}]})
    assert (first.status_code, second.status_code) == (202, 202)
    house.work()
    assert client.get("/v1/products/p2").json["state"] == "searchable"


def test_a_product_shows_its_facts_state_and_pictures(client: Any, house: House) -> None:
    facts = {"title": "Kleid, schön", "price": 19.9, "category": "/a/b/", "attributes": {"new": True, "sizes": ["S"]}}
    put(client, "p1", facts, PHOTO)
    house.work()
    found = client.get("/v1/products/p1").json
    assert (found["title"], found["price"], found["currency"], found["category"]) == (
        "Kleid, schön",
        "19.9",
        "EUR",
        "a/b",
    )
    assert found["attributes"] == {"new": True, "sizes": ["S"]}
    assert (found["state"], found["images"][0]["state"]) == ("searchable", "searchable")
    assert found["searchable_at"].startswith("2026-01-01")


def test_a_search_shows_what_was_found_with_exact_prices_and_true_booleans(client: Any, house: House) -> None:
    put(client, "p1", {"title": "A", "price": "0.10", "attributes": {"new": True, "n": 1}, "in_stock": False}, PHOTO)
    put(client, "p2", {"title": "B", "price": "99"}, OTHER)
    house.work()
    answer = client.post("/v1/search", data={"image": (io.BytesIO(PHOTO), "q.jpg"), "query": '{"limit": 1}'})
    [match] = answer.json["matches"]
    assert (match["product_id"], match["score"]) == ("p1", pytest.approx(1, abs=1e-3))
    assert match["product"]["price"] == "0.10"
    assert match["product"]["attributes"] == {"new": True, "n": 1}
    assert match["product"]["in_stock"] is False
    assert client.get(match["matched_image"]["url"]).content_type == "image/jpeg"


def test_the_query_string_says_the_same_as_json(client: Any, house: House) -> None:
    for number, price in enumerate((10, 20, 30)):
        put(client, f"p{number}", {"price": price, "brand": "X", "category": "a/b"}, PHOTO)
    house.work()
    path = "/v1/search?q=red&category=a&brand=X&brand=Y&min_price=15&max_price=30&in_stock=true"
    body = {
        "text": "red",
        "filter": {"category": "a", "brand": ["X", "Y"], "price": {"gte": 15, "lte": 30}, "in_stock": True},
    }
    by_path, by_body = client.get(path).json["matches"], client.post("/v1/search", json=body).json["matches"]
    assert by_path == by_body
    assert {match["product_id"] for match in by_path} == {"p1", "p2"}


def test_prices_are_compared_within_one_currency(client: Any, house: House) -> None:
    put(client, "eur", {"price": 10}, PHOTO)
    put(client, "usd", {"price": 10, "currency": "USD"}, OTHER)
    house.work()

    def found(wanted: object) -> list[str]:
        answer = client.post("/v1/search", json={"text": "red", "filter": wanted})
        return sorted(match["product_id"] for match in answer.json["matches"])

    assert found({"price": {"lte": 20}}) == ["eur"]
    assert found({"price": {"lte": 20}, "currency": "USD"}) == ["usd"]
    assert found({"not": {"price": {"lte": 20}}}) == ["usd"]


def test_a_patch_answers_202_and_keeps_the_pictures(client: Any, house: House) -> None:
    put(client, "p1", {"title": "A", "price": 5}, PHOTO)
    house.work()
    answer = client.patch("/v1/products/p1", json={"price": "6.50"}, content_type="application/merge-patch+json")
    assert (answer.status_code, answer.json["version"]) == (202, 2)
    house.work()
    found = client.get("/v1/products/p1").json
    assert (found["price"], found["title"], len(found["images"])) == ("6.50", "A", 1)


def test_a_delete_answers_202_and_then_404(client: Any) -> None:
    put(client, "p1", {}, PHOTO)
    assert client.delete("/v1/products/p1").status_code == 202
    assert client.get("/v1/products/p1").status_code == 404


def test_a_thumbnail_has_the_asked_width_and_is_cacheable_for_ever(client: Any) -> None:
    image_id = put(client, "p1", {}, PHOTO).json["images"][0]["image_id"]
    answer = client.get(f"/v1/images/{image_id}?width=100")
    assert Image.open(io.BytesIO(answer.data)).size == (100, 75)
    assert "immutable" in answer.headers["Cache-Control"]
    etag = answer.headers["ETag"]
    again = client.get(f"/v1/images/{image_id}?width=100", headers={"If-None-Match": etag})
    weakened = client.get(f"/v1/images/{image_id}?width=100", headers={"If-None-Match": f"W/{etag}"})  # by a proxy
    assert weakened.status_code == 304
    assert (again.status_code, again.data) == (304, b"")


def test_a_picture_of_another_merchant_is_not_there(client: Any) -> None:
    image_id = put(client, "p1", {}, PHOTO).json["images"][0]["image_id"]
    assert client.get(f"/v1/images/{image_id}", headers={"X-Shelfsight-Merchant": "other"}).status_code == 404


def test_an_import_is_taken_as_a_raw_zip_and_as_a_form(client: Any, house: House) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("products.csv", "product_id,image,split\nA,a.jpg,x\nB,gone.jpg,x\n")
        archive.writestr("a.jpg", PHOTO)
    data = buffer.getvalue()
    raw = client.post("/v1/imports", data=data, content_type="application/zip")
    form = client.post("/v1/imports", data={"file": (io.BytesIO(data), "catalog.zip")})
    assert (raw.status_code, form.status_code) == (202, 202)
    assert raw.json["ignored_columns"] == ["split"]
    house.work()
    job = client.get(raw.headers["Location"]).json
    assert (job["done"], job["total"], job["counts"]["failed"]) == (True, 2, 1)
    page = client.get(f"{raw.headers['Location']}/items?limit=1").json
    assert (page["items"][0]["product_id"], page["next_cursor"]) == ("A", "1")
    rest = client.get(f"{raw.headers['Location']}/items?limit=1&cursor=1").json
    assert (rest["items"][0]["code"], rest["next_cursor"]) == ("picture_missing", None)


def test_status_and_probes_say_how_things_are(client: Any, house: House) -> None:
    put(client, "p1", {}, PHOTO)
    status = client.get("/v1/status").json
    assert status["products"]["pending"] == 1
    queue = status["queue"]
    assert (queue["products_due"], queue["products_due_merchant"]) == (1, 1)
    assert (queue["imports_due"], queue["imports_due_merchant"]) == (0, 0)
    assert (queue["limit"], queue["limit_merchant"], queue["broker"]) == (1_000_000, 200_000, "ok")
    assert queue["paused"] == []
    assert queue["lag_seconds"] > 0
    other = client.get("/v1/status", headers={"X-Shelfsight-Merchant": "other"}).json["queue"]
    assert (other["products_due"], other["products_due_merchant"], other["lag_seconds_merchant"]) == (1, 0, 0)
    assert status["model"]["reason"] == "a test chose the fake"
    assert status["model"]["how"] == house.embedder.how
    assert status["memory_bytes"] == 123_000_000
    assert client.get("/readyz").json == {"status": "ready", "parts": {"catalog": "ok", "index": "ok"}}
    house.vectors.down = True
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json["status"]) == (503, "not ready")
    assert client.get("/healthz").status_code == 200


def test_a_part_that_is_down_is_503_with_retry_after(client: Any, house: House) -> None:
    house.vectors.down = True
    answer = client.get("/v1/search?q=red")
    assert (answer.status_code, answer.get_json(force=True)["code"]) == (503, IndexUnavailable.code)
    assert int(answer.headers["Retry-After"]) > 0


def test_a_fault_of_ours_shows_nothing_of_itself(client: Any, house: House) -> None:
    house.catalog.product = lambda key: 1 / 0  # type: ignore[method-assign, assignment, return-value]
    client.application.testing = False
    answer = client.get("/v1/products/p1", headers={"X-Request-Id": "my-request-1"})
    problem = answer.get_json(force=True)
    assert (answer.status_code, problem["code"], problem["request_id"]) == (500, "internal", "my-request-1")
    assert "division" not in answer.text
    assert "Traceback" not in answer.text


def test_a_stopping_server_refuses_new_requests(client: Any) -> None:
    client.application.config["DRAINING"].set()
    answer = client.get("/healthz")
    assert (answer.status_code, answer.get_json(force=True)["code"]) == (503, "unavailable")
    assert client.application.config["IN_FLIGHT"].value == 0


def test_a_body_over_the_limit_is_413(house: House) -> None:
    limits = house.settings.limits.model_copy(update={"max_upload_bytes": 1_000})
    settings = house.settings.model_copy(update={"limits": limits})
    client = create_app(house.services, settings, key=None).test_client()
    answer = client.put("/v1/products/p1", data=b"x" * 2_000, content_type="application/json")
    assert (answer.status_code, answer.get_json(force=True)["code"]) == (413, "body_too_large")


def test_the_reference_is_valid_openapi_with_every_route_and_body(client: Any) -> None:
    specification = client.get("/openapi.json").json
    assert specification["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(specification).validate()
    upload = specification["paths"]["/v1/products/{product_id}"]["put"]
    assert set(upload["requestBody"]["content"]) == {"application/json", "multipart/form-data"}
    assert "application/problem+json" in upload["responses"]["422"]["content"]
    assert client.get("/docs", follow_redirects=True).status_code == 200
