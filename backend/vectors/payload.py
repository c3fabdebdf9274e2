"""What may be written into an index, which facts are indexed there, and what a match carries back."""

import math
import uuid
from collections.abc import Mapping, Sequence

import numpy as np

from backend.domain.payload import Payload
from backend.domain.picture import Vector
from backend.domain.shelves import FIELD as SHELVES
from backend.domain.words import WordField
from backend.errors import ShelfsightError
from backend.ports import Point

VECTOR_NAME = "picture"
"""The vector's name inside a point: named, so that a second vector could be added beside it without a new index."""

KEYWORD_FIELDS = (
    "merchant", "product_id", "categories", "brand", "currency", "image", "attribute_terms", "attribute_numbers"
)  # fmt: skip
MATCHED_FIELDS = ("in_stock", "lead", SHELVES)
"""Of the integers those that are compared and no more. No index of theirs is asked for a range: of 300,000 points, one
that could be takes the embedded engine 0.2 s to load."""
INTEGER_FIELDS = ("version", *MATCHED_FIELDS)
FLOAT_FIELDS = ("price", "buried_at", "added_at")
TEXT_FIELDS = tuple(field.value for field in WordField)
"""The facts that have a payload index. `attributes.*` have none of their own: their names are the merchants'. Texts and
flags are matched in `attribute_terms`, numbers in `attribute_numbers`; for a range an engine reads the payloads of the
products that have such a number, unless it is one of those in `backend.vectors.numbers`. That is so slow that
`buried_at` needs an index: counting the tombstones among 100,000 points would stop the embedded engine's process for
0.3 s instead of 0.03 ms."""

OWN_FIELDS = frozenset({"lead", "attribute_terms", "attribute_numbers", SHELVES, *TEXT_FIELDS})
"""Facts an index is asked by and that say nothing a match does not say already: no match carries them."""

UNIT_TOLERANCE = 1e-3
"""How far a norm may be from 1. Rounding to float16 and back stays below this; a vector nobody normalised does not."""


def storable_points(points: Sequence[Point], dimension: int) -> list[Point]:
    """Copies of `points` in types every engine keeps alike. Raises `ShelfsightError` for the first that is unusable.

    Whoever writes calls this for the whole call before the first batch: engines apply a part of a batch they refuse
    (measured with Qdrant Edge 0.9), and accept NaN and zero vectors without a word.
    """
    return [
        Point(_uuid(point.point_id), unit_vector(point.vector, dimension), storable_facts(point.payload))
        for point in points
    ]


def storable_facts(facts: Payload) -> Payload:
    """`facts` with booleans as 0 and 1 and tuples as lists. Raises `ShelfsightError` for what is not JSON."""
    return {name: _plain(value) for name, value in facts.items()}


def unit_vector(vector: Vector, dimension: int) -> Vector:
    """The vector as float32. Raises `ShelfsightError` unless it is finite, of the dimension and of unit length."""
    usable = query_vector(vector, dimension)
    length = _length(usable)
    if abs(length - 1.0) > UNIT_TOLERANCE:
        raise ShelfsightError(f"A vector of length {length:.4f} cannot be stored; unit length is required.")
    return usable


def query_vector(vector: Vector, dimension: int) -> Vector:
    """The vector as float32. Raises `ShelfsightError` unless it is finite, of the dimension and not zero.

    A query need not have unit length: cosine divides by it.
    """
    usable = np.ascontiguousarray(vector, dtype=np.float32)
    if usable.shape != (dimension,):
        raise ShelfsightError(f"A vector of shape {usable.shape} does not fit an index of dimension {dimension}.")
    length = _length(usable)
    if not math.isfinite(length) or length == 0.0:
        raise ShelfsightError("A vector that is zero or not finite has no direction to compare.")
    return usable


def facts_of(payload: Mapping[str, object]) -> Payload:
    """A stored payload as a match carries it: a fact that is None is absent, and so are the index's own.

    Qdrant keeps a null it was sent with a point, but drops the key when a null is merged in; without this, a payload
    would look different after a price was taken away than if there had never been one.
    """
    return {name: value for name, value in payload.items() if value is not None and name not in OWN_FIELDS}


def _length(vector: Vector) -> float:
    # In double precision: the square of a large float32 overflows, and a warning would be an error in the tests.
    return float(np.linalg.norm(vector.astype(np.float64)))


def _uuid(point_id: str) -> str:
    try:
        uuid.UUID(point_id)
    except ValueError as err:
        raise ShelfsightError(f"{point_id!r} is not the id of a point: Qdrant takes UUIDs.") from err
    return point_id


def _plain(value: object) -> object:
    match value:
        case None | str():
            return _text(value) if value else value
        case int():  # before float, and True and False come this way
            _finite(value)
            return int(value)
        case float():
            return _finite(value)
        case list() | tuple():
            return [_plain(entry) for entry in value]
        case dict():
            return {_text(name): _plain(entry) for name, entry in value.items()}
    raise ShelfsightError(f"A {type(value).__name__} cannot be a fact: it is not a JSON value.")


def _finite(number: float) -> float:
    try:
        usable = math.isfinite(number)
    except OverflowError:
        usable = False
    if not usable:
        raise ShelfsightError("A number that is not finite, or beyond a double, cannot be a fact.")
    return number


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ShelfsightError(f"A {type(value).__name__} cannot name a fact: names are strings.")
    try:
        value.encode()
    except UnicodeEncodeError as err:
        raise ShelfsightError("A text with half a surrogate pair cannot be a fact: it is not UTF-8.") from err
    return value
