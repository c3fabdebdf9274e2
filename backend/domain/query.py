"""What is searched for and what is found."""

from dataclasses import dataclass, field
from typing import NamedTuple

from backend.domain.filters import Filter
from backend.domain.payload import Payload


@dataclass(frozen=True, slots=True)
class Query:
    """A search. At least one of `image` (undecoded bytes), `image_id`, `text`, `product_id` is given.

    `image_weight` and `text_weight` mix picture and words when both are given; the vectors have unit length, so the
    weights are shares of the sum. `offset + limit` is at most 1,000 (the engine must fetch that many products).
    """

    merchant: str
    image: bytes | None = None
    image_id: str | None = None
    text: str | None = None
    product_id: str | None = None
    image_weight: float = 0.5
    text_weight: float = 0.5
    filter: Filter = field(default_factory=Filter)
    limit: int = 24
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Match:
    """One product found, by the best of its pictures. `score` is a cosine, -1 to 1."""

    product_id: str
    score: float
    content_hash: str
    payload: Payload


class WordMatch(NamedTuple):
    """One product found by words. `score` is BM25, above 0: it orders one answer and compares with no other."""

    product_id: str
    score: float


class Counted(NamedTuple):
    """How many products have a value."""

    value: str | int
    products: int


@dataclass(frozen=True, slots=True)
class Results:
    """A page of matches, best first, and where the time went in milliseconds."""

    matches: tuple[Match, ...]
    took_ms: dict[str, float]
