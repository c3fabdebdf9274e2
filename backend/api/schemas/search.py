"""Searches as JSON or query string, and their results."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from backend.api.schemas.body import StrictBody
from backend.api.schemas.filters import filter_of
from backend.api.schemas.product import ProductFacts, image_url
from backend.domain.base64_text import picture_bytes
from backend.domain.payload import Payload
from backend.domain.product_facts import product_id_of
from backend.domain.query import Match, Query, Results
from backend.errors import InvalidField, QueryMissing
from backend.ports import Space
from backend.settings import LimitSettings

MAX_LIMIT = 100  # a page a person looks at
MAX_DEPTH = 1_000  # offset + limit: the engine fetches that many products for every page

Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT)]
Offset = Annotated[int, Field(ge=0, le=MAX_DEPTH - 1)]


class QueryImage(StrictBody):
    """A query picture: base64 bytes, or the id of a picture of the merchant's own."""

    data: str | None = Field(None, description="The picture's bytes as base64; a data: URI prefix is allowed.")
    image_id: str | None = None


class Weights(StrictBody):
    """Shares of picture and words when both are given."""

    image: float = Field(0.5, ge=0, le=1)
    text: float = Field(0.5, ge=0, le=1)


class SearchBody(StrictBody):
    """A search. At least one of `image`, `text`, `product_id` (or a multipart picture) is needed."""

    image: QueryImage | None = None
    text: str | None = None
    product_id: str | None = None
    weights: Weights = Weights()
    filter: dict[str, Any] = Field(
        default_factory=dict,
        examples=[{"category": "clothing/dress", "price": {"gte": 20, "lt": 80}, "in_stock": True}],
    )
    limit: Limit = 24
    offset: Offset = 0

    def query(self, merchant: str, *, image: bytes | None, limits: LimitSettings, default_currency: str) -> Query:
        """The domain's query. Raises `QueryMissing`, `InvalidField`, `InvalidFilter`, `InvalidBase64`."""
        given = self.image or QueryImage()
        if sum(item is not None for item in (image, given.data, given.image_id)) > 1:
            raise InvalidField("give the query picture once: as a file, as data or as image_id", field="image")
        if given.data is not None:
            image = picture_bytes(given.data, "image.data", max_bytes=limits.max_image_bytes)
        if image is not None and self.product_id is not None:
            raise InvalidField("search by a picture or by a product, not by both", field="product_id")
        if self.offset + self.limit > MAX_DEPTH:
            raise InvalidField(f"offset + limit is at most {MAX_DEPTH}", field="offset")
        if image is None and given.image_id is None and self.text is None and self.product_id is None:
            raise QueryMissing
        if not self.weights.image and not self.weights.text:
            raise InvalidField("at least one weight is above 0", field="weights")
        return Query(
            merchant=merchant,
            image=image,
            image_id=given.image_id,
            text=_words(self.text, limits.max_text),
            product_id=None if self.product_id is None else product_id_of(self.product_id),
            image_weight=self.weights.image,
            text_weight=self.weights.text,
            filter=filter_of(self.filter, default_currency=default_currency),
            limit=self.limit,
            offset=self.offset,
        )


class SearchParameters(BaseModel):
    """The simple search as a query string."""

    model_config = ConfigDict(extra="forbid")

    q: str | None = Field(None, description="Words.")
    image_id: str | None = Field(None, description="A picture of one of the merchant's products.")
    product_id: str | None = Field(None, description="Products like this one.")
    category: list[str] | None = Field(
        None, description="A category with everything below it; repeat for any of several."
    )
    brand: list[str] | None = Field(None, description="Repeat for any of several.")
    min_price: float | None = Field(None, ge=0, allow_inf_nan=False)
    max_price: float | None = Field(None, ge=0, allow_inf_nan=False, description="Inclusive.")
    currency: str | None = None
    in_stock: Literal["true", "false"] | None = None
    limit: Limit = 24
    offset: Offset = 0

    def body(self) -> SearchBody:
        """The same search as a JSON body would say it."""
        price = {"gte": self.min_price, "lte": self.max_price}
        wanted = {
            "category": self.category,
            "brand": self.brand,
            "currency": self.currency,
            "price": {bound: value for bound, value in price.items() if value is not None} or None,
            "in_stock": None if self.in_stock is None else self.in_stock == "true",
        }
        return SearchBody(
            image=QueryImage(image_id=self.image_id) if self.image_id else None,
            text=self.q,
            product_id=self.product_id,
            filter={name: value for name, value in wanted.items() if value is not None},
            limit=self.limit,
            offset=self.offset,
        )


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

    @classmethod
    def of(cls, match: Match) -> Self:
        """From the domain's match."""
        return cls(
            product_id=match.product_id,
            score=round(match.score, 6),
            product=facts_out(match.payload),
            matched_image=MatchedImage(id=match.content_hash, url=image_url(match.content_hash)),
        )


class EncoderView(BaseModel):
    """The encoder an answer was found by. Scores of different fingerprints do not compare."""

    name: str
    fingerprint: str


class ResultsView(BaseModel):
    """A page of matches, best first, by which encoder, and where the time went."""

    matches: list[MatchView]
    model: EncoderView
    took_ms: dict[str, float]

    @classmethod
    def of(cls, results: Results, space: Space) -> Self:
        """From the domain's results; `space`: of the index that was searched."""
        return cls(
            matches=[MatchView.of(match) for match in results.matches],
            model=EncoderView(name=space.model, fingerprint=space.fingerprint),
            took_ms=results.took_ms,
        )


def facts_out(payload: Payload) -> ProductFacts:
    """The facts an index keeps, as JSON gives them out: flags are booleans again, the price is exact again."""
    attributes, flags = payload.get("attributes"), payload.get("attribute_flags")
    names = flags if isinstance(flags, list) else []
    given = attributes if isinstance(attributes, dict) else {}
    return ProductFacts.model_validate(
        {
            **{name: payload.get(name) for name in ("title", "category", "brand", "currency", "url")},
            "price": payload.get("price_exact"),
            "in_stock": bool(payload.get("in_stock")),
            "attributes": {name: bool(value) if name in names else value for name, value in given.items()},
        }
    )


def _words(text: str | None, limit: int) -> str | None:
    if text is None:
        return None
    if not text.strip():
        raise InvalidField("words are expected", field="text")
    if len(text) > limit:
        raise InvalidField(f"at most {limit} characters", field="text")
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise InvalidField("lone surrogates are not text", field="text")
    return text.strip()
