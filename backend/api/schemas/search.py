"""Searches as JSON or query string."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from backend.api.schemas.body import StrictBody
from backend.api.schemas.filters import filter_of
from backend.domain.base64_text import picture_bytes
from backend.domain.facets import MAX_FACETS, is_facet
from backend.domain.product_facts import currency_of, product_id_of
from backend.domain.query import AUTO, FacetsOver, Query, Sort, Words
from backend.domain.ranking import DUPLICATE
from backend.errors import InvalidField, QueryMissing
from backend.settings import LimitSettings

MAX_LIMIT = 100  # a page a person looks at
MAX_DEPTH = 1_000  # offset + limit: the engine fetches that many products for every page

LEAST_COLLAPSE = 0.5  # below it nearly every product is nearly every other

Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT)]
Offset = Annotated[int, Field(ge=0, le=MAX_DEPTH - 1)]
WordsName = Literal["auto", "off", "only"]
SortName = Literal["relevance", "price_asc", "price_desc", "newest"]
OverName = Literal["filter", "matches"]


def _min_score(value: object) -> float | str | None:
    if value is None or value == AUTO:
        return AUTO if value else None
    return _number(value, -1.0, f'a cosine from -1 to 1, or "{AUTO}"')


def _collapse(value: object) -> float | None:
    """The cosine from which two pictures are one; None: none are."""
    if isinstance(value, bool) or value is None:
        return DUPLICATE if value else None
    return _number(value, LEAST_COLLAPSE, f"true, false, or a cosine from {LEAST_COLLAPSE} to 1")


def _number(value: object, least: float, wanted: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= 1.0:
        raise PydanticCustomError("number", "{wanted}", {"wanted": wanted})
    return float(value)


MinScore = Annotated[
    float | str | None,
    PlainValidator(_min_score),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": -1, "maximum": 1}, {"const": AUTO}, {"type": "null"}]}),
]
Collapse = Annotated[
    float | None,
    PlainValidator(_collapse),
    WithJsonSchema(
        {"anyOf": [{"type": "boolean"}, {"type": "number", "minimum": LEAST_COLLAPSE, "maximum": 1}, {"type": "null"}]}
    ),
]


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
    words: WordsName = Field("auto", description="Words find products by their pictures and by their own words.")
    sort: SortName = Field("relevance", description="Another order of the relevant products.")
    min_score: MinScore = Field(None, description='The least cosine of a match; "auto" measures it on the index.')
    facets: list[str] = Field(
        default_factory=list,
        fail_fast=True,
        description="category, brand, in_stock, currency, price, attributes.<name>.",
        examples=[["category", "price", "attributes.color"]],
    )
    facets_over: OverName = Field("filter", description="All that the filter admits, or the relevant ones of these.")
    collapse: Collapse = Field(None, description="Leave out near duplicates; a number is the cosine of such.")
    diversity: float = Field(0.0, ge=0, le=1, description="0: by relevance; 1: each unlike those before it.")
    predict_category: bool = False

    def query(self, merchant: str, *, image: bytes | None, limits: LimitSettings, default_currency: str) -> Query:
        """The domain's query. Raises `QueryMissing`, `InvalidField`, `InvalidFilter`, `InvalidBase64`."""
        image = self._picture(image, limits)
        image_id = self.image.image_id if self.image else None
        pictured = image is not None or image_id is not None
        if not pictured and self.text is None and self.product_id is None:
            raise QueryMissing
        if pictured and self.product_id is not None:
            raise InvalidField("search by a picture or by a product, not by both", field="product_id")
        self._check_together(beside=pictured or self.product_id is not None)
        return Query(
            merchant=merchant,
            image=image,
            image_id=image_id,
            text=_words(self.text, limits.max_text),
            product_id=None if self.product_id is None else product_id_of(self.product_id),
            image_weight=self.weights.image,
            text_weight=self.weights.text,
            filter=filter_of(self.filter, default_currency=default_currency),
            limit=self.limit,
            offset=self.offset,
            words=Words(self.words),
            min_score=self.min_score,
            sort=Sort(self.sort),
            currency=_only_currency(self.filter.get("currency")) or default_currency,
            facets=tuple(dict.fromkeys(self.facets)),
            facets_over=FacetsOver(self.facets_over),
            collapse=self.collapse,
            diversity=self.diversity,
            predict_category=self.predict_category,
        )

    def _picture(self, image: bytes | None, limits: LimitSettings) -> bytes | None:
        """The bytes of the query picture, if these were sent. Raises `InvalidField`, `InvalidBase64`."""
        given = self.image or QueryImage()
        if sum(item is not None for item in (image, given.data, given.image_id)) > 1:
            raise InvalidField("give the query picture once: as a file, as data or as image_id", field="image")
        if given.data is None:
            return image
        return picture_bytes(given.data, "image.data", max_bytes=limits.max_image_bytes)

    def _check_together(self, *, beside: bool) -> None:
        """What no single field shows. `beside`: a picture or a product is given. Raises `InvalidField`."""
        if self.offset + self.limit > MAX_DEPTH:
            raise InvalidField(f"offset + limit is at most {MAX_DEPTH}", field="offset")
        if not self.weights.image and not self.weights.text:
            raise InvalidField("at least one weight is above 0", field="weights")
        if self.words == "only" and self.text is None:
            raise InvalidField("only words can be searched for by words only; give a text", field="words")
        if self.words == "only" and beside and not self.weights.text:
            raise InvalidField("words that weigh nothing find nothing; give weights.text above 0", field="words")
        if self.diversity and self.sort != "relevance":
            raise InvalidField("an order by price or date has no room for diversity", field="diversity")
        if len(self.facets) > MAX_FACETS:
            raise InvalidField(f"at most {MAX_FACETS} facets", field="facets")
        for number, name in enumerate(self.facets):
            if not is_facet(name):
                raise InvalidField(
                    "there are category, brand, in_stock, currency, price and attributes.<name>",
                    field=f"facets.{number}",
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
    words: WordsName = "auto"
    sort: SortName = "relevance"
    min_score: str | None = Field(None, description="A cosine, or auto.")
    facet: list[str] | None = Field(None, description="Repeat for several.")
    facets_over: OverName = "filter"
    collapse: Literal["true", "false"] = "false"
    diversity: float = Field(0.0, ge=0, le=1, allow_inf_nan=False)
    predict_category: Literal["true", "false"] = "false"

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
            words=self.words,
            sort=self.sort,
            min_score=_cosine(self.min_score),
            facets=self.facet or [],
            facets_over=self.facets_over,
            collapse=self.collapse == "true",
            diversity=self.diversity,
            predict_category=self.predict_category == "true",
        )


def _cosine(text: str | None) -> float | str | None:
    if text is None or text == AUTO:
        return text
    try:
        return _min_score(float(text))
    except ValueError:
        raise InvalidField(f'a cosine from -1 to 1, or "{AUTO}"', field="min_score") from None


def _only_currency(wanted: object) -> str | None:
    """The one currency a filter admits, if it admits one; `filter_of` has checked them."""
    named = {currency_of(it) for it in (wanted if isinstance(wanted, list) else [wanted]) if it is not None}
    return named.pop() if len(named) == 1 else None


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
