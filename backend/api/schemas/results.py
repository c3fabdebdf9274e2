"""What a search answers: the schemas for the reference, and the answer itself as plain values.

An answer is not built through the schemas: the index has kept what was checked when it came, and to check 100 matches
again takes ten times as long as to write them down. A test holds the two to each other.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field

from backend.api.schemas.product import ProductFacts, image_url
from backend.domain.facets import PRICE
from backend.domain.payload import Payload
from backend.domain.query import Counted, Match, PriceRange, Query, Results
from backend.ports import Space

Json = dict[str, Any]


class MatchedImage(BaseModel):
    """The picture that decided."""

    id: str
    url: str


class MatchView(BaseModel):
    """One product found. `score` is a cosine, -1 to 1; scores of different models do not compare."""

    product_id: str
    score: float
    product: ProductFacts
    matched_image: MatchedImage
    near_duplicates: list[str] = Field(
        default=[], description="With `collapse`: products left out because their picture is nearly this one."
    )


class EncoderView(BaseModel):
    """The encoder an answer was found by. Scores of different fingerprints do not compare."""

    name: str
    fingerprint: str


class ValueView(BaseModel):
    """How many products have a value."""

    value: str | bool
    products: int


class RangeView(BaseModel):
    """How many products cost `from` or more and less than `to` (in the last range `to` is included)."""

    low: float = Field(alias="from")
    high: float = Field(alias="to")
    products: int


class FacetView(BaseModel):
    """Values with their counts, most products first; of prices, ranges of one currency."""

    values: list[ValueView] | None = None
    ranges: list[RangeView] | None = None
    currency: str | None = None


class CategoryView(BaseModel):
    """The category of most of the best matches, and its share of their vote."""

    category: str
    share: float


class ResultsView(BaseModel):
    """A page of matches, by which encoder, and where the time went. What was not asked for is absent."""

    matches: list[MatchView]
    model: EncoderView
    took_ms: dict[str, float]
    corrected: dict[str, str] = Field(
        default={}, description="Words no product has -> the words that were searched for in their place."
    )
    relevant: int | None = Field(None, description="With `sort` or facets over matches: products in the relevant set.")
    min_score: float | None = Field(None, description="With `min_score`: the least cosine of a match.")
    no_match: bool | None = Field(None, description="With `min_score`: nothing reaches it.")
    facets: dict[str, FacetView] | None = None
    predicted_category: CategoryView | None = None


def results_out(results: Results, query: Query, space: Space) -> Json:
    """The answer as JSON values, in the schema's order; `space`: of the index that was searched."""
    answer: Json = {
        "matches": [_match_out(match, results.suppressed) for match in results.matches],
        "model": {"name": space.model, "fingerprint": space.fingerprint},
        "took_ms": results.took_ms,
    }
    if results.corrected:
        answer["corrected"] = dict(results.corrected)
    if results.relevant is not None:
        answer["relevant"] = results.relevant
    if results.min_score is not None:
        answer |= {"min_score": round(results.min_score, 6), "no_match": results.no_match}
    if results.facets is not None:
        answer["facets"] = {name: _facet_out(name, counts, query) for name, counts in results.facets.items()}
    if query.predict_category:
        vote = results.category
        answer["predicted_category"] = vote and {"category": vote.category, "share": round(vote.share, 4)}
    return answer


def _match_out(match: Match, suppressed: Mapping[str, tuple[str, ...]]) -> Json:
    out = {
        "product_id": match.product_id,
        "score": round(match.score, 6),
        "product": facts_out(match.payload),
        "matched_image": {"id": match.content_hash, "url": image_url(match.content_hash)},
    }
    if match.product_id in suppressed:
        out["near_duplicates"] = list(suppressed[match.product_id])
    return out


def facts_out(payload: Payload) -> Json:
    """The facts an index keeps, as JSON gives them out: flags are booleans again, the price is exact again."""
    attributes, flags = payload.get("attributes"), payload.get("attribute_flags")
    given = attributes if isinstance(attributes, dict) else {}
    if isinstance(flags, list) and flags:
        given = {name: bool(value) if name in flags else value for name, value in given.items()}
    return {
        "title": payload.get("title"),
        "category": payload.get("category"),
        "brand": payload.get("brand"),
        "price": payload.get("price_exact"),
        "currency": payload.get("currency"),
        "in_stock": bool(payload.get("in_stock")),
        "url": payload.get("url"),
        "attributes": given,
    }


def _facet_out(name: str, counts: Any, query: Query) -> Json:
    if name == PRICE:
        ranges: list[PriceRange] = counts
        return {
            "ranges": [{"from": it.low, "to": it.high, "products": it.products} for it in ranges],
            "currency": query.currency,
        }
    values: list[Counted] = counts
    return {"values": [{"value": it.value, "products": it.products} for it in values]}
