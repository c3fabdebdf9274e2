"""Who may come in."""

import pytest
from flask.testing import FlaskClient

from backend.api.app import create_app
from tests.house import House

KEY = "a-platform-key-of-some-length"


def client(key: str | None) -> FlaskClient:
    house = House()
    return create_app(house.services, house.settings, key=key).test_client()


@pytest.fixture(scope="module")
def guarded() -> FlaskClient:
    return client(KEY)


@pytest.fixture(scope="module")
def open_door() -> FlaskClient:
    return client(None)


def test_the_right_key_comes_in(guarded: FlaskClient) -> None:
    assert guarded.get("/v1/status", headers={"Authorization": f"Bearer {KEY}"}).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {KEY}x",
        f"Bearer {KEY[:-1]}",
        f"Basic {KEY}",
        KEY,
        "Bearer ü",
        "Bearer " + "x" * 60_000,
    ],
)
def test_any_other_key_gets_the_same_refusal(guarded: FlaskClient, header: str) -> None:
    answer = guarded.get("/v1/status", headers={"Authorization": header})
    assert (answer.status_code, answer.get_json(force=True)["code"]) == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_every_address_but_probes_and_reference_asks_for_the_key(guarded: FlaskClient) -> None:
    unguarded = set()
    for rule in guarded.application.url_map.iter_rules():
        path = rule.rule.replace("<product_id>", "p").replace("<job_id>", "j").replace("<image_id>", "i")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            if guarded.open(path.replace("<path:filename>", "x"), method=method).status_code != 401:
                unguarded.add(rule.rule.split("/")[1])
    assert unguarded == {"healthz", "readyz", "openapi.json", "docs"}


def test_an_open_door_serves_this_machine(open_door: FlaskClient) -> None:
    for host in ("localhost:8080", "127.0.0.1", "[::1]:8080"):
        assert open_door.get("/v1/status", headers={"Host": host}).status_code == 200
    assert open_door.get("/v1/status", headers={"Origin": "http://localhost:3000"}).status_code == 200


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"}])
def test_an_open_door_refuses_pages_of_other_sites_and_other_names(
    open_door: FlaskClient, headers: dict[str, str]
) -> None:
    answer = open_door.get("/v1/status", headers=headers)
    assert (answer.status_code, answer.get_json(force=True)["code"]) == (403, "foreign_origin")


def test_merchants_see_only_their_own(open_door: FlaskClient) -> None:
    for merchant, path in (("one", "/v1/products/p"), ("two", "/v1/jobs/x")):
        answer = open_door.get(path, headers={"X-Shelfsight-Merchant": merchant})
        assert answer.status_code == 404
    assert open_door.get("/v1/status", headers={"X-Shelfsight-Merchant": "one"}).get_json()["merchant"] == "one"
