"""A check of the index over HTTP."""

import pytest

from backend.api.app import create_app
from tests.house import House
from tests.unit.usecases.test_checking_the_index import stocked


def test_a_check_says_what_is_found_under_each_filter_and_the_status_shows_the_last_one() -> None:
    house = stocked(House())
    client = create_app(house.services, house.settings, key=None).test_client()
    shop = {"X-Shelfsight-Merchant": "shop"}
    assert client.get("/v1/status", headers=shop).get_json()["index"] == {"points": 12, "recall": None}
    answer = client.post("/v1/index/check?products=3", headers=shop)
    assert answer.status_code == 200
    checked = answer.get_json()
    assert (checked["points"], checked["recall"]) == (12, 1.0)
    assert {row["filter"]: row["searches"] for row in checked["filters"]}["none"] == 6
    shown = client.get("/v1/status", headers=shop).get_json()["index"]["recall"]
    assert (shown["recall"], shown["filters"]["category"], shown["at"]) == (1.0, 1.0, checked["at"])


def test_a_merchant_without_pictures_gets_an_answer_too() -> None:
    house = House()
    client = create_app(house.services, house.settings, key=None).test_client()
    answer = client.post("/v1/index/check").get_json()
    assert (answer["recall"], answer["filters"]) == (None, [])


@pytest.mark.parametrize("products", ["0", "101", "many"])
def test_how_much_is_checked_has_bounds(products: str) -> None:
    house = House()
    client = create_app(house.services, house.settings, key=None).test_client()
    answer = client.post(f"/v1/index/check?products={products}")
    assert (answer.status_code, answer.get_json()["code"]) == (400, "invalid_field")


def test_a_check_needs_the_platform_key() -> None:
    house = House()
    client = create_app(house.services, house.settings, key="k" * 20).test_client()
    assert client.post("/v1/index/check").status_code == 401
