"""Every bad request gets its status and code, changes nothing, and leaves the server well."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from flask.testing import FlaskClient

from backend.api.app import create_app
from backend.fetching.http_fetcher import HttpPictureFetcher
from backend.settings import Settings
from tests import pictures
from tests.bad_inputs.addresses import ADDRESSES
from tests.bad_inputs.case import KNOWN, Case
from tests.bad_inputs.cases import CASES
from tests.bad_inputs.judging import Answer, expected, judge, prepare
from tests.bad_inputs.page import page
from tests.house import House
from tests.internet import Internet

PAGE = Path(__file__).parents[3] / "docs" / "bad-inputs.md"


@pytest.fixture(scope="module")
def internet() -> Internet:
    """Empty: no name resolves and nothing answers, and what was tried is noted."""
    return Internet()


@pytest.fixture(scope="module")
def house(internet: Internet) -> Iterator[House]:
    """With the fetcher that is used outside, for it decides what is an address."""
    settings = Settings()
    fetcher = HttpPictureFetcher(
        max_bytes=settings.limits.max_image_bytes,
        seconds=settings.fetch.seconds,
        max_redirects=settings.fetch.max_redirects,
        per_host=settings.fetch.per_host,
        ports=settings.fetch.ports,
        resolve=internet.resolve,
        connect=internet.connect,
    )
    yield House(settings=settings, fetcher=fetcher)  # type: ignore[arg-type] # the real one behind the same port
    fetcher.close()


@pytest.fixture(scope="module")
def client(house: House) -> FlaskClient:
    client = create_app(house.services, house.settings, key=None).test_client()
    prepare(lambda request: send(client, request), lambda: settle(house), pictures.jpeg())
    return client


def send(client: FlaskClient, request: httpx.Request) -> Answer:
    headers = {name: value for name, value in request.headers.items() if name != "host"}
    path = str(request.url.raw_path, "ascii")
    answer = client.open(path, method=request.method, data=request.read(), headers=headers)
    told = answer.get_json(force=True)
    if answer.status_code >= 400:
        assert told["request_id"] == answer.headers["X-Request-Id"]
    return answer.status_code, answer.content_type or "", told


def settle(house: House) -> None:
    """Until nothing is due: what is to be tried again later is tried when the clock says so."""
    house.work()
    while house.catalog.due():
        house.clock.advance(60)
        house.work()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_bad_request_gets_its_code_and_changes_nothing(house: House, client: FlaskClient, case: Case) -> None:
    def state() -> tuple[object, object, object]:
        return house.catalog.count(), house.vectors.count(), client.get(f"/v1/products/{KNOWN}").json

    before = state()
    assert judge(case, lambda request: send(client, request), lambda: settle(house)) == expected(case)
    assert state() == before


def test_no_bad_address_was_looked_up_or_connected_to(house: House, client: FlaskClient, internet: Internet) -> None:
    for case in ADDRESSES:
        judge(case, lambda request: send(client, request), lambda: settle(house))
    assert set(internet.lookups) == {"nowhere.invalid"}
    assert internet.tried == []


def test_the_table_covers_what_it_should() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
    assert len(CASES) >= 300
    assert all(case.status < 500 for case in CASES)


def test_the_page_of_bad_inputs_is_the_table() -> None:
    """`python -m tests.bad_inputs.page` writes it anew."""
    assert PAGE.read_text("utf-8") == page()
