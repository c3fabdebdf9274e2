"""The guard of recall: what approximate searches miss is found out, by class of filters, and shown in the status."""

import logging
from collections.abc import Sequence
from decimal import Decimal

import pytest

from backend.domain.filters import Filter, matches
from backend.domain.index_check import filters_like, recall_of
from backend.domain.picture import Vector
from backend.domain.query import Match
from backend.errors import IndexUnavailable
from backend.usecases.check_index import CheckIndex
from backend.usecases.keep_pictures import Upload
from tests import pictures
from tests.factories import product
from tests.fakes.vector_store import FakeVectorStore
from tests.house import House

CLASSES = {"none", "in stock", "category", "category and price", "brand"}


class Forgetful(FakeVectorStore):
    """Misses the best match of every approximate search under a filter of more than a merchant."""

    def nearest(
        self,
        merchant: str,
        vector: Vector,
        wanted: Filter,
        *,
        limit: int,
        exclude: Sequence[str] = (),
        exact: bool = False,
    ) -> list[Match]:
        found = super().nearest(merchant, vector, wanted, limit=limit + 1, exclude=exclude)
        return found[:limit] if exact or not wanted.must else found[1 : limit + 1]


def stocked(house: House, number: int = 12) -> House:
    """A shop of products of two categories and two brands."""
    for index in range(number):
        made = product(
            f"p{index}",
            title=f"{'red' if index % 2 else 'blue'} dress {index}",
            category=f"clothing/{'dress' if index % 3 else 'coat'}",
            brand="Arden" if index % 2 else "Corvo",
            price=Decimal(10 + index),
        )
        photo = pictures.jpeg(seed=index)
        house.services.upload_product(made, [Upload("a.jpg", lambda photo=photo: photo)])  # type: ignore[misc]
    house.work()
    return house


def test_an_index_that_finds_everything_is_said_to() -> None:
    house = stocked(House())
    checked = house.services.check_index("shop", 6)
    assert {item.name for item in checked.filters} == CLASSES
    assert all(item.searches == 12 for item in checked.filters)  # a picture and a title a product
    assert checked.recall == 1.0
    assert (checked.points, checked.at) == (12, house.clock())
    assert house.services.read_status("shop").recall is checked


def test_what_is_missed_is_said_by_class_of_filters_and_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    house = stocked(House())
    forgetful = Forgetful(house.embedder.space, lambda: 0.0)
    forgetful.upsert(house.vectors.sample(100))
    check = CheckIndex(forgetful, house.embedder, house.clock)
    checked = check("shop", 12)
    recalls = {item.name: item.recall for item in checked.filters}
    assert recalls["none"] == 1.0
    assert all(recall < 0.95 for name, recall in recalls.items() if name != "none")
    assert checked.recall == min(recalls.values())
    assert all(item.least <= item.recall for item in checked.filters)
    assert "the index misses matches" in caplog.text


def test_a_sample_is_taken_of_a_merchant_that_is_met_by_chance(caplog: pytest.LogCaptureFixture) -> None:
    house = stocked(House())
    caplog.set_level(logging.WARNING)
    checked = house.services.check_index.some()
    assert checked is not None
    assert checked.points == 12
    assert not caplog.records


def test_nothing_is_said_of_an_empty_index_and_a_merchant_without_pictures() -> None:
    house = House()
    assert house.services.check_index.some() is None
    checked = stocked(house).services.check_index("other")
    assert (checked.recall, checked.filters, checked.points) == (None, (), 0)
    assert house.services.read_status("shop").recall is None


def test_an_index_that_is_down_is_unavailable() -> None:
    house = stocked(House())
    house.vectors.down = True
    with pytest.raises(IndexUnavailable):
        house.services.check_index("shop")


# --- the pure parts ---------------------------------------------------------------------------------------------------


def test_a_product_satisfies_the_filters_made_of_it() -> None:
    facts = {"category": "a/b", "categories": ["a", "a/b"], "brand": "Arden", "price": 20.0, "in_stock": 1}
    made = filters_like(facts)
    assert set(made) == CLASSES
    assert all(matches(facts, wanted) for wanted in made.values())
    assert not matches({**facts, "price": 25.0}, made["category and price"])


def test_facts_that_are_absent_make_no_filter() -> None:
    assert set(filters_like({"category": "", "brand": None, "price": 3.0})) == {"none", "in stock"}


def found(*scores: float) -> list[Match]:
    return [Match(f"p{number}", score, "image", {}) for number, score in enumerate(scores)]


@pytest.mark.parametrize(
    ("approximate", "exact", "recall"),
    [
        ([0.9, 0.8], [0.9, 0.8], 1.0),
        ([0.9, 0.7], [0.9, 0.8], 0.5),
        ([], [0.9, 0.8], 0.0),
        ([], [], 1.0),
        ([0.9, 0.8, 0.8], [0.9, 0.8], 1.0),  # either of two that tie
        ([0.9, 0.8 - 1e-7], [0.9, 0.8], 1.0),  # the same but for rounding
    ],
)
def test_of_equally_good_products_any_will_do(approximate: list[float], exact: list[float], recall: float) -> None:
    assert recall_of(found(*approximate), found(*exact)) == recall
