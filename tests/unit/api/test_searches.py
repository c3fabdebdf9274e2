"""What a search is asked over HTTP and what it answers."""

from typing import Any

import numpy as np
import pytest

from backend.api.app import create_app
from backend.api.schemas.results import ResultsView
from tests.house import House
from tests.unit.usecases.shelves import plain, put


@pytest.fixture(scope="module")
def house() -> House:
    house = House()
    red = house.embedder.embed_texts(["red"])[0]
    for number, (title, brand) in enumerate([("Red bottle", "Velmora"), ("Red bottle", "Nordhusk"), ("Lamp", "")]):
        nearly = red + np.float32(0.001 * number)
        of = plain(
            f"p{number}",
            title,
            brand=brand,
            merchant="default",
            category="home/kitchen",
            price=(None, 7, 90)[number],
            currency=(None, "EUR", "EUR")[number],
            attributes={"new": number == 0, "sizes": ("s", "m"), "weight": 3},
        )
        put(house, of, [(nearly / np.linalg.norm(nearly)).astype(np.float32)], added_at=float(number))
    return house


@pytest.fixture(scope="module")
def client(house: House) -> Any:
    return create_app(house.services, house.settings, key=None).test_client()


EVERYTHING = {
    "text": "red bottel",
    "facets": ["category", "in_stock", "price", "attributes.new"],
    "facets_over": "matches",
    "sort": "price_desc",
    "min_score": "auto",
    "collapse": True,
    "predict_category": True,
}


@pytest.mark.parametrize(
    "body", [{"text": "red"}, {"product_id": "p0"}, EVERYTHING], ids=["words", "like", "everything"]
)
def test_an_answer_is_what_the_reference_says(client: Any, body: dict[str, Any]) -> None:
    answer = client.post("/v1/search", json=body)
    assert answer.status_code == 200
    view = ResultsView.model_validate(answer.json, extra="forbid")
    assert view.model_dump(mode="json", exclude_unset=True, by_alias=True) == answer.json


def test_what_was_not_asked_for_is_not_in_the_answer(client: Any) -> None:
    assert set(client.post("/v1/search", json={"text": "red"}).json) == {"matches", "model", "took_ms"}


def test_everything_at_once(client: Any) -> None:
    answer = client.post("/v1/search", json=EVERYTHING).json
    assert answer["no_match"] is False
    assert answer["relevant"] >= 2
    assert answer["facets"]["category"]["values"][0]["value"] == "home"
    assert answer["facets"]["price"]["currency"] == "EUR"
    assert sum(it["products"] for it in answer["facets"]["price"]["ranges"]) >= 1
    assert {it["value"] for it in answer["facets"]["attributes.new"]["values"]} == {True, False}
    assert answer["predicted_category"] == {"category": "home/kitchen", "share": 1.0}
    [kept] = answer["matches"]
    assert kept["near_duplicates"]


def test_the_short_form_asks_the_same(client: Any) -> None:
    long = client.post("/v1/search", json=EVERYTHING).json
    short = client.get(
        "/v1/search?q=red+bottel&facet=category&facet=in_stock&facet=price&facet=attributes.new&facets_over=matches"
        "&sort=price_desc&min_score=auto&collapse=true&predict_category=true"
    ).json
    assert {**short, "took_ms": None} == {**long, "took_ms": None}
    assert client.get("/v1/search?q=red&min_score=-0.5&diversity=0.5&words=only").status_code == 200


@pytest.mark.parametrize(
    ("wanted", "currency"),
    [
        ({}, "EUR"),
        ({"currency": "USD"}, "USD"),
        ({"currency": " usd"}, "USD"),
        ({"currency": ["CHF"]}, "CHF"),
        ({"currency": ["chf", "CHF"]}, "CHF"),
        ({"currency": ["CHF", "USD"]}, "EUR"),
    ],
    ids=str,
)
def test_prices_are_in_the_filters_currency_if_it_names_one(client: Any, wanted: dict[str, Any], currency: str) -> None:
    answer = client.post("/v1/search", json={"text": "red", "filter": wanted, "facets": ["price"]}).json
    assert answer["facets"]["price"]["currency"] == currency


def test_a_currency_is_one_whatever_its_case(client: Any) -> None:
    def found(currency: object) -> list[str]:
        wanted = {"currency": currency, "price": {"gte": 1}}
        answer = client.post("/v1/search", json={"text": "red", "filter": wanted, "facets": ["price"]}).json
        assert sum(it["products"] for it in answer["facets"]["price"]["ranges"]) == len(answer["matches"])
        return sorted(match["product_id"] for match in answer["matches"])

    assert found("eur") == found("EUR") == found(["eur"]) == ["p1", "p2"]
    assert client.get("/v1/search?q=red&currency=eur").json["matches"]


def test_a_picture_and_a_product_are_not_searched_by_together_however_the_picture_is_named(client: Any) -> None:
    own = client.post("/v1/search", json={"product_id": "p0"}).json["matches"][0]["matched_image"]["id"]
    answers = [
        client.post("/v1/search", json={"image": {"image_id": own}, "product_id": "p0"}),
        client.get(f"/v1/search?image_id={own}&product_id=p0"),
        client.post("/v1/search", json={"image": {"data": "AAAA"}, "product_id": "p0"}),
    ]
    assert [(it.status_code, it.json["errors"][0]["field"]) for it in answers] == [(400, "product_id")] * 3


def test_a_number_says_how_near_near_duplicates_are(client: Any) -> None:
    def matches(collapse: object) -> int:
        return len(
            client.post("/v1/search", json={"text": "red", "words": "off", "collapse": collapse}).json["matches"]
        )

    assert [matches(it) for it in (False, None, True, 0.5, 1)] == [3, 3, 1, 1, 3]


def test_nothing_is_found_and_the_answer_says_so(client: Any) -> None:
    answer = client.post("/v1/search", json={"text": "zeppelin", "min_score": 1}).json
    assert (answer["matches"], answer["no_match"], answer["min_score"]) == ([], True, 1.0)


def test_flags_prices_and_numbers_of_a_match_are_as_they_were_given(client: Any) -> None:
    answer = client.post("/v1/search", json={"text": "red", "filter": {"product_id": "p0"}}).json
    found = answer["matches"][0]["product"]
    assert found["attributes"] == {"new": True, "sizes": ["s", "m"], "weight": 3}
    assert (found["price"], found["currency"], found["in_stock"]) == (None, None, True)
