"""Two indexes are asked the same: the numbers say how they differ, and nothing more."""

from collections.abc import Sequence

import pytest

from backend.domain.work import Work
from backend.usecases.compare_indexes import Answers, Comparison, Found, Golden, compare_indexes, sampled
from backend.usecases.keep_pictures import Upload
from tests.factories import product
from tests.house import House
from tests.pictures import jpeg


def answering(*products: str, category: str = "shoes") -> Answers:
    found = [Found(name, category) for name in products]
    return lambda _: found


TEN = [f"p{number}" for number in range(10)]
LIKE_ONE = Golden("shop", product_id="p", category="shoes")


def test_the_same_answers_overlap_wholly() -> None:
    assert compare_indexes(answering(*TEN), answering(*reversed(TEN)), [LIKE_ONE]) == Comparison(1, 1.0, 1, 1.0, 1.0)


def test_half_of_the_answers_is_half() -> None:
    other = [*TEN[:5], *(f"q{number}" for number in range(5))]
    assert compare_indexes(answering(*TEN), answering(*other), [LIKE_ONE]).overlap == 0.5


def test_no_more_than_the_first_ten_count() -> None:
    assert compare_indexes(answering(*TEN, "beyond"), answering(*TEN), [LIKE_ONE]).overlap == 1.0


def test_an_index_that_finds_less_overlaps_less() -> None:
    assert compare_indexes(answering(*TEN), answering("p0"), [LIKE_ONE]).overlap == 0.1
    assert compare_indexes(answering(*TEN), answering(), [LIKE_ONE]).overlap == 0.0


def test_quality_is_the_share_of_the_category_where_it_is_known() -> None:
    def mixed(_: Golden) -> Sequence[Found]:
        return [Found("a", "shoes"), Found("b", "shoes"), Found("c", "hats"), Found("d", "bags")]

    compared = compare_indexes(mixed, answering(*TEN), [LIKE_ONE, Golden("shop", text="red")])
    assert (compared.queries, compared.labelled, compared.before, compared.after) == (2, 1, 0.5, 1.0)


def test_what_neither_answers_says_nothing() -> None:
    assert compare_indexes(answering(), answering(), [LIKE_ONE]) == Comparison(0, 0.0, 0, 0.0, 0.0)


@pytest.mark.parametrize("number", [3, 100])
def test_questions_are_searchable_products_and_the_same_ones_each_time(number: int) -> None:
    house = House()
    for name in range(8):
        data = jpeg(seed=name)
        house.services.upload_product(product(f"p{name}"), [Upload("a.jpg", lambda data=data: data)])  # type: ignore[misc]
    house.reconcile(Work.UPLOADS)
    house.services.upload_product(product("waits"), [Upload("a.jpg", jpeg)])
    drawn = sampled(house.catalog, house.catalog, number)
    assert len(drawn) == min(number, 8)
    assert drawn == sampled(house.catalog, house.catalog, number)
    assert all(it.merchant == "shop" and it.category == "clothing/dress" and it.product_id for it in drawn)
