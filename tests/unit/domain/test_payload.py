"""Points and payloads."""

import json
import uuid
from decimal import Decimal

from backend.domain.payload import number_term, point_id, product_part, product_payload
from backend.domain.product import AttributeValue, Product, ProductKey

HASH = "a" * 64


def test_the_same_upload_meets_the_same_point_in_every_version() -> None:
    assert point_id(ProductKey("m", "p"), HASH) == "ade4f833-ae3d-8cab-b995-bfefb3bb9a43"


def part(point: str) -> int:
    return product_part(uuid.UUID(point))


def test_the_points_of_a_product_and_of_no_other_begin_alike() -> None:
    one, other = (ProductKey("m", name) for name in ("p", "q"))
    assert part(point_id(one, HASH)) == part(point_id(one, "b" * 64))
    assert len({point_id(one, f"{number:064x}") for number in range(1_000)}) == 1_000
    assert part(point_id(one, HASH)) != part(point_id(other, HASH))


def test_the_id_of_a_point_is_a_uuid_of_a_layout_of_its_own() -> None:
    for name in range(100):
        made = uuid.UUID(point_id(ProductKey("m", str(name)), HASH))
        assert (made.version, made.variant) == (8, uuid.RFC_4122)


def test_neighbouring_names_never_share_a_point() -> None:
    names = [("m", "p"), ("mp", ""), ("", "mp"), ("m", "q"), ("n", "p")]
    assert len({point_id(ProductKey(*name), HASH) for name in names}) == len(names)


def test_a_payload_is_json_with_numbers_for_flags_and_an_exact_price() -> None:
    product = Product(ProductKey("m", "p"), price=Decimal("0.1"), attributes={"new": True, "sizes": ("S",)})
    payload = json.loads(json.dumps(product_payload(product, version=3)))
    assert payload["in_stock"] == 1
    assert payload["attributes"] == {"new": 1, "sizes": ["S"]}
    assert payload["attribute_flags"] == ["new"]
    assert (payload["price"], payload["price_exact"], payload["version"]) == (0.1, "0.1", 3)


def test_texts_and_flags_are_terms_that_cannot_be_taken_for_each_other() -> None:
    told: dict[str, AttributeValue] = {
        "colour": "red", "sizes": ("S", "M"), "new": True, "said": "true", "weight": 3,
    }  # fmt: skip
    payload = product_payload(Product(ProductKey("m", "p"), attributes=told), version=1)
    assert payload["attribute_terms"] == ["colour=red", "new!true", "said=true", "sizes=S", "sizes=M"]
    assert payload["attribute_numbers"] == ["weight", "weight=3"]


def test_equal_numbers_have_equal_terms_and_others_others() -> None:
    assert number_term("n", 3) == number_term("n", 3.0) != number_term("n", 3.5)
    assert number_term("n", 0) == number_term("n", -0.0)
    assert number_term("n", 2**53) == number_term("n", 2.0**53) != number_term("n", 2**53 + 1)
    assert number_term("n", 10**300) != number_term("n", 1e300), "the double lies beside it"
    assert len({number_term("n", it) for it in (float("inf"), float("nan"), 5e-324, 0.1, 0.1 + 0.2, 0.3)}) == 6
