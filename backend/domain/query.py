"""What is searched for and what is found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from backend.domain.filters import Filter
from backend.domain.payload import Payload


class Words(StrEnum):
    """What the words of a search are compared with: pictures and the products' own words, or one of the two."""

    AUTO = "auto"
    OFF = "off"
    ONLY = "only"


class Sort(StrEnum):
    """The order of a page."""

    RELEVANCE = "relevance"
    PRICE_ASC = "price_asc"
    PRICE_DESC = "price_desc"
    NEWEST = "newest"


class FacetsOver(StrEnum):
    """Which products facets count: all that the filter admits, or the relevant ones of these."""

    FILTER = "filter"
    MATCHES = "matches"


AUTO = "auto"
"""A `min_score` that is measured on the index, see `backend.domain.least_score`."""


@dataclass(frozen=True, slots=True)
class Query:
    """A search. At least one of `image` (undecoded bytes), `image_id`, `text`, `product_id` is given.

    `image_weight` and `text_weight` mix picture and words when both are given; the vectors have unit length, so the
    weights are shares of the sum. `offset + limit` is at most 1,000 (the engine must fetch that many products).
    `min_score`: a cosine, `AUTO`, or None. `currency`: the one in which prices are sorted and counted.
    `facets`: names as `backend.domain.facets` knows them. `collapse`: the cosine from which two pictures are one.
    `diversity`: 0 (by relevance) to 1.
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
    words: Words = Words.AUTO
    min_score: float | str | None = None
    sort: Sort = Sort.RELEVANCE
    currency: str = "EUR"
    facets: tuple[str, ...] = ()
    facets_over: FacetsOver = FacetsOver.FILTER
    collapse: float | None = None
    diversity: float = 0.0
    predict_category: bool = False

    @property
    def text_share(self) -> float:
        """How much of the search is its words, 0 to 1."""
        if self.text is None:
            return 0.0
        if self.image is None and self.image_id is None and self.product_id is None:
            return 1.0
        return self.text_weight / (self.image_weight + self.text_weight)


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


class PriceRange(NamedTuple):
    """How many products cost `low` or more and less than `high` (in the last range: `high` or less)."""

    low: float
    high: float
    products: int


Facet = Sequence[Counted] | Sequence[PriceRange]
"""Values with their counts, most products first; of `price`, ranges in order."""


class Vote(NamedTuple):
    """The category most of the best matches are in, and its share of the vote, above 0 to 1."""

    category: str
    share: float


@dataclass(frozen=True, slots=True)
class Results:
    """A page of matches in the order asked for, and where the time went in milliseconds. The rest is None unless it was
    asked for.

    `relevant`: products in the relevant set, where one had to be made. `min_score`: the cosine that was asked for or
    measured; `no_match`: nothing reaches it. `suppressed`: product id -> near duplicates that are left out in its
    favour. `corrected`: words nobody's product has -> those that were searched for in their place.
    """

    matches: tuple[Match, ...]
    took_ms: dict[str, float]
    relevant: int | None = None
    min_score: float | None = None
    no_match: bool | None = None
    facets: Mapping[str, Facet] | None = None
    category: Vote | None = None
    suppressed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    corrected: Mapping[str, str] = field(default_factory=dict)
