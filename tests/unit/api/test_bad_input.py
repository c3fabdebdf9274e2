"""Every bad request gets its status and code, changes nothing, and leaves the server well."""

import httpx
import pytest
from flask.testing import FlaskClient

from backend.api.app import create_app
from tests import pictures
from tests.bad_inputs.cases import CASES, KNOWN, Case, put
from tests.house import House


@pytest.fixture(scope="module")
def house() -> House:
    return House()


@pytest.fixture(scope="module")
def client(house: House) -> FlaskClient:
    client = create_app(house.services, house.settings, key=None).test_client()
    assert send(client, put({"title": "Known"}, pictures.jpeg(), path=f"/v1/products/{KNOWN}")).status_code == 202
    house.work()
    return client


def send(client: FlaskClient, request: httpx.Request):  # type: ignore[no-untyped-def] # werkzeug's own test response
    headers = {name: value for name, value in request.headers.items() if name != "host"}
    return client.open(str(request.url.raw_path, "ascii"), method=request.method, data=request.read(), headers=headers)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_bad_request_gets_its_code_and_changes_nothing(house: House, client: FlaskClient, case: Case) -> None:
    before = (house.catalog.count(), house.vectors.count(), client.get(f"/v1/products/{KNOWN}").json)
    answer = send(client, case.make())
    problem = answer.get_json(force=True)
    assert (answer.status_code, problem["code"]) == (case.status, case.code), problem
    assert answer.content_type == "application/problem+json"
    assert problem["request_id"] == answer.headers["X-Request-Id"]
    if case.field is not None:
        assert problem["errors"][0]["field"] == case.field, problem
    assert (house.catalog.count(), house.vectors.count(), client.get(f"/v1/products/{KNOWN}").json) == before


def test_the_table_covers_what_it_should() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
    assert len(CASES) >= 100
