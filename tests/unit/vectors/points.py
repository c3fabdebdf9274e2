"""Points and filters for tests of vector stores."""

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
from hypothesis import strategies as st

from backend.domain.filters import AnyOf, Between, Condition, Filter, Within
from backend.domain.payload import NOT_LEADING, leading_payload, picture_payload, point_id, product_payload
from backend.domain.picture import Vector, Vectors
from backend.domain.product import Product
from backend.ports import Point, Space, Tombstone
from tests.factories import content_hash, product

DIMENSION = 64
FIRST = ("front", "picture 0")
"""The pictures of `point` and `points` that lead their product."""
SPACE = Space("test-encoder", DIMENSION, "a" * 64)


def signs(seed: int, number: int, dimension: int = DIMENSION) -> Vectors:
    """Unit vectors of equal parts, plus or minus. With 64 parts each is 1/8, so their products are without rounding:
    equal scores are equal to the last bit in every engine, and there are many."""
    draws = np.random.default_rng(seed).integers(0, 2, (number, dimension)) * 2 - 1
    return np.asarray(draws / np.sqrt(dimension), np.float32)


def clustered(seed: int, number: int, dimension: int) -> Vectors:
    """Unit vectors in groups around a common mean, as pictures of products are."""
    random = np.random.default_rng(seed)
    mean, groups = random.standard_normal(dimension), random.standard_normal((40, dimension))
    drawn = 2.0 * mean + groups[random.integers(0, 40, number)] + 0.7 * random.standard_normal((number, dimension))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)


def toward(*parts: float) -> Vector:
    """The unit vector in the direction of these first parts."""
    vector = np.zeros(DIMENSION, np.float32)
    vector[: len(parts)] = parts
    return vector / np.float32(np.linalg.norm(vector))


def point(of: Product, vector: Vector, picture: str = "front", version: int = 1) -> Point:
    """The point of one picture of a product."""
    image = content_hash(f"{of.key.product_id}/{picture}")
    own = leading_payload(of) if picture in FIRST else NOT_LEADING
    return Point(point_id(of.key, image), vector, product_payload(of, version) | picture_payload(image) | own)


def points(of: Product, vectors: Vectors | Sequence[Vector], version: int = 1) -> list[Point]:
    """One point a vector."""
    return [point(of, vector, f"picture {number}", version) for number, vector in enumerate(vectors)]


def tombstone(of: Product, picture: str = "front", version: int = 2) -> Tombstone:
    """What is put in the place of `point(of, ..., picture)`."""
    return Tombstone(of.key, content_hash(f"{of.key.product_id}/{picture}"), version)


def tombstones(of: Product, number: int, version: int = 2) -> list[Tombstone]:
    """What is put in the place of the first `number` of `points(of, ...)`."""
    return [tombstone(of, f"picture {index}", version) for index in range(number)]


# --- random products and filters: few values, so that they often meet -------------------------------------------------

NAMES = ["colour", "a-b", "-", "_", "5", "weight", "0x"]
WORDS = ["red", "blue", "", "ß", "3", "true", "caf\u00e9", "cafe\u0301", "\U0001f457", "\u0130", " red", "a=b"]
NUMBERS = [
    0,
    1,
    -1,
    3,
    3.0,
    0.1,
    0.30000000000000004,
    1.5,
    2**40,
    1e300,
    -2.5,
    2**53,
    -(2**53),
    -0.0,
    5e-324,
]
BOUNDS = [*NUMBERS, math.inf, -math.inf, math.nan, 2**53 + 1, -(2**53) - 1, 2**63, -(2**63) - 1, 10**400]
"""What a filter may name besides: numbers no product has."""
CATEGORIES = ["clothing", "clothing/dress", "clothing/dressing", "clothing/dress/long", "shoes", "cloth"]
PRICES = ["0", "0.1", "3", "19.99", "20", "1000000.5"]

_numbers = st.sampled_from(NUMBERS)
_bounds = st.sampled_from(BOUNDS)
_words = st.sampled_from(WORDS)


def products(merchant: str) -> st.SearchStrategy[list[Product]]:
    """A few products of one merchant."""
    attributes = st.dictionaries(
        st.sampled_from(NAMES),
        st.one_of(_words, _numbers, st.booleans(), st.lists(_words, max_size=3).map(tuple)),
        max_size=4,
    )
    facts = st.fixed_dictionaries(
        {
            "category": st.sampled_from(["", *CATEGORIES]),
            "brand": st.sampled_from(["", "Arden", "Corvo", "3"]),
            "price": st.none() | st.sampled_from(PRICES).map(Decimal),
            "currency": st.sampled_from([None, "EUR", "USD"]),
            "in_stock": st.booleans(),
            "attributes": attributes,
        }
    )

    def named(drawn: list[dict[str, Any]]) -> list[Product]:
        return [product(f"p{number}", merchant=merchant, **facts) for number, facts in enumerate(drawn)]

    return st.lists(facts, min_size=1, max_size=5).map(named)


def filters() -> st.SearchStrategy[Filter]:
    """Filters of every form, nested; a category with a price often, since engines are asked for these by shelves."""
    keys = st.sampled_from(NAMES).map("attributes.{}".format)
    values = st.one_of(_words, _bounds, st.booleans(), st.sampled_from(["Arden", "Corvo", "EUR", "p0", "p1"]))
    bounds = st.none() | _bounds | st.sampled_from(PRICES).map(float)
    within = st.builds(Within, st.lists(st.sampled_from(CATEGORIES), max_size=2).map(tuple))
    conditions: st.SearchStrategy[Condition] = st.one_of(
        st.builds(
            AnyOf,
            st.one_of(keys, st.sampled_from(["product_id", "brand", "currency", "in_stock", "price", "category"])),
            st.lists(values, max_size=3).map(tuple),
        ),
        within,
        st.builds(
            Between, st.one_of(keys, st.sampled_from(["price", "in_stock", "brand"])), bounds, bounds, bounds, bounds
        ),
    )

    def nested(inner: st.SearchStrategy[Filter]) -> st.SearchStrategy[Filter]:
        return st.builds(
            Filter,
            must=st.lists(conditions, max_size=2).map(tuple),
            any_of=st.lists(inner, max_size=2).map(tuple),
            must_not=st.lists(conditions | inner, max_size=2).map(tuple),
        )

    leaf = st.builds(
        Filter,
        must=st.lists(conditions, max_size=2).map(tuple),
        must_not=st.lists(conditions, max_size=1).map(tuple),
    )
    up_to = st.sampled_from(PRICES).map(float)
    prices = st.builds(Between, st.just("price"), bounds, st.none(), up_to) | st.builds(
        Between, st.just("price"), st.none(), bounds, st.none(), up_to
    )
    shelved = st.builds(Filter, must=st.tuples(within, prices), must_not=st.lists(conditions, max_size=1).map(tuple))
    return st.recursive(leaf | shelved, nested, max_leaves=4)
