"""Bodies with very much wrong: the answer stays small, and says enough to begin with."""

import json
from typing import Any

import pytest

from backend.api.app import create_app
from tests.house import House

SMALL = 20_000  # bytes of any answer to a bad body


@pytest.fixture
def client() -> Any:
    """Flask's test client; its answers' JSON is whatever it is."""
    house = House()
    return create_app(house.services, house.settings, key=None).test_client()


def put(client: Any, body: bytes) -> tuple[str, list[str], str]:
    """Code, wrong fields and detail of a body that is refused."""
    answer = client.put("/v1/products/p1", data=body, content_type="application/json")
    assert answer.status_code == 400
    assert len(answer.data) < SMALL
    problem = answer.get_json(force=True)
    return problem["code"], [item["field"] for item in problem["errors"]], problem["detail"]


@pytest.mark.parametrize(
    ("images", "field"),
    [
        (b"1" + b",1" * 900, "images.0"),
        (b"{}" + b",1" * 900, "images.1"),
        (b"{}" + b",{}" * 100_000, "images"),
        (b"1" + b",1" * 100_000, "images.0"),
    ],
)
def test_a_list_of_pictures_is_judged_up_to_its_first_wrong_one_and_no_further_than_any_may_be_long(
    client: Any, images: bytes, field: str
) -> None:
    assert put(client, b'{"images": [' + images + b"]}")[:2] == ("invalid_field", [field])


def test_more_pictures_than_a_product_may_have_are_counted_before_any_is_looked_at(client: Any) -> None:
    images = [{"image_id": "nobody has it"}] * 101
    code, fields, detail = put(client, json.dumps({"images": images}).encode())
    assert (code, fields) == ("too_many_pictures", ["images"])
    assert "101 pictures; at most 16" in detail


def test_of_very_many_wrong_fields_the_first_are_told(client: Any) -> None:
    code, fields, detail = put(client, json.dumps({f"k{n:03d}": 1 for n in range(900)} | {"images": []}).encode())
    assert code == "unknown_field"
    assert fields == [f"k{n:03d}" for n in range(100)]
    assert detail.endswith("; k009: no such field; and 890 more")


def test_a_wrong_field_among_very_many_unknown_ones_is_not_overlooked(client: Any) -> None:
    body = {f"k{n:03d}": 1 for n in range(900)} | {"images": 5}
    assert put(client, json.dumps(body).encode())[0] == "invalid_field"


def test_a_fields_name_is_shown_in_short(client: Any) -> None:
    code, [field], _ = put(client, json.dumps({"k" * 50_000: 1, "images": []}).encode())
    assert (code, len(field)) == ("unknown_field", 200)


@pytest.mark.parametrize(
    "body",
    [
        b'{"title": [' + b"0," * 1_000_000 + b"0]}",
        b'{"title": [' + b"[],{}," * 400_000 + b"0]}",
        json.dumps({f"k{n}": 1 for n in range(1_001)}).encode(),
        json.dumps({"attributes": {f"k{n}": {} for n in range(1_001)}}).encode(),
    ],
    ids=["numbers", "brackets", "names", "attributes"],
)
def test_json_of_more_values_than_any_body_needs_is_not_read(client: Any, body: bytes) -> None:
    assert put(client, body)[0] == "invalid_json"


def test_a_list_of_values_ends_with_its_first_wrong_one(client: Any) -> None:
    _, fields, _ = put(client, json.dumps({"images": [], "attributes": {"a": [1] * 50_000}}).encode())
    assert [field for field in fields if "list" in field] == ["attributes.a.list[str].0"]
