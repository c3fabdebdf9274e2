"""The list of demo products: what a demo and a test may rely on."""

from collections import Counter, defaultdict
from decimal import Decimal

import pytest

from backend.demo import DemoProduct, demo_products
from backend.demo.drawing import SHAPES
from backend.demo.materials import FINISHES, PALETTE
from backend.errors import InvalidField


@pytest.fixture(scope="module")
def shop() -> list[DemoProduct]:
    return demo_products()


def test_the_shop_has_300_products_in_at_least_twelve_categories_of_similar_size(shop: list[DemoProduct]) -> None:
    sizes = Counter(product.category for product in shop)
    assert len(shop) == 300
    assert len(sizes) >= 12
    assert max(sizes.values()) - min(sizes.values()) <= 1


def test_product_ids_are_unique_and_counted_from_one(shop: list[DemoProduct]) -> None:
    assert [product.product_id for product in shop] == [f"DEMO-{n:04d}" for n in range(1, 301)]


def test_every_product_has_one_to_three_pictures_and_all_three_numbers_occur(shop: list[DemoProduct]) -> None:
    assert {len(product.views) for product in shop} == {1, 2, 3}


def test_prices_are_positive_euros_with_two_decimals(shop: list[DemoProduct]) -> None:
    for product in shop:
        assert product.currency == "EUR"
        assert product.price > 0
        assert product.price == product.price.quantize(Decimal("0.01"))


def test_about_four_fifths_are_in_stock(shop: list[DemoProduct]) -> None:
    assert 0.7 < sum(product.in_stock for product in shop) / len(shop) < 0.9


def test_a_handful_of_brands_share_the_shop(shop: list[DemoProduct]) -> None:
    brands = Counter(product.brand for product in shop)
    assert len(brands) == 8
    assert min(brands.values()) >= 15


def test_the_title_names_the_colour_and_the_brand(shop: list[DemoProduct]) -> None:
    for product in shop:
        assert product.title.lower().startswith(product.attributes["color"])
        assert product.brand in product.title


def test_every_shape_comes_in_several_colours_and_every_colour_in_several_shapes(shop: list[DemoProduct]) -> None:
    colours, shapes = defaultdict(set), defaultdict(set)
    for product in shop:
        colours[product.shape].add(product.attributes["color"])
        shapes[product.attributes["color"]].add(product.shape)
    assert set(colours) == set(SHAPES)
    assert min(len(found) for found in colours.values()) >= 5
    assert len(shapes) >= 10
    assert min(len(found) for found in shapes.values()) >= 10


def test_a_category_holds_each_of_its_shapes_in_each_colour_at_most_once(shop: list[DemoProduct]) -> None:
    pairs = Counter((product.shape, product.attributes["color"]) for product in shop)
    assert max(pairs.values()) == 1


def test_plain_and_patterned_products_are_both_common(shop: list[DemoProduct]) -> None:
    patterns = Counter(product.attributes["pattern"] for product in shop)
    assert 100 < patterns["plain"] < 200
    assert len(patterns) >= 6


def test_every_colour_and_material_named_is_one_that_can_be_painted(shop: list[DemoProduct]) -> None:
    assert {product.attributes["color"] for product in shop} | {product.second for product in shop} <= set(PALETTE)
    assert {product.attributes["material"] for product in shop} <= set(FINISHES)


def test_a_second_colour_always_differs_from_the_first(shop: list[DemoProduct]) -> None:
    assert all(product.second != product.attributes["color"] for product in shop)


def test_the_first_sixteen_products_show_every_category(shop: list[DemoProduct]) -> None:
    assert {product.category for product in demo_products(count=16)} == {product.category for product in shop}


def test_the_list_is_the_same_every_time_and_another_for_another_seed(shop: list[DemoProduct]) -> None:
    assert demo_products(7, 300) == shop
    assert demo_products(8, 300) != shop


def test_a_shorter_list_is_the_beginning_of_the_longer_one(shop: list[DemoProduct]) -> None:
    assert demo_products(count=40) == shop[:40]


@pytest.mark.parametrize("count", [0, -1, 10_000])
def test_an_impossible_count_is_refused_by_its_field(count: int) -> None:
    with pytest.raises(InvalidField) as refused:
        demo_products(count=count)
    assert refused.value.errors[0].field == "count"
