"""Products as JSON, in and out."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field

from backend.api.schemas.body import StrictBody
from backend.domain import product_facts as rules
from backend.domain.picture import Picture, PictureState
from backend.domain.product import AttributeValue, ProductRecord, ProductState
from backend.domain.work import Accepted

MAX_IMAGES = 1_000  # ten times what the setting limits.max_pictures can be, which says more when it is exceeded

# Lists end with their first wrong element: of a hundred thousand each would be an error of its own.
AttributeIn = str | bool | int | float | Annotated[list[str], Field(fail_fast=True)]


class FactsBody(StrictBody):
    """A product's facts. All are optional; null means the default."""

    title: Annotated[str, Field(max_length=rules.MAX_TITLE)] | None = None
    description: Annotated[str, Field(max_length=rules.MAX_DESCRIPTION)] | None = None
    category: Annotated[str, Field(max_length=rules.MAX_CATEGORY, examples=["clothing/dress"])] | None = None
    brand: Annotated[str, Field(max_length=rules.MAX_BRAND)] | None = None
    price: Annotated[str | int | float, Field(examples=["39.90"], description="At most four decimals.")] | None = None
    currency: Annotated[str, Field(examples=["EUR"], description="ISO 4217.")] | None = None
    in_stock: bool | None = None
    url: Annotated[str, Field(max_length=rules.MAX_URL)] | None = None
    attributes: dict[str, AttributeIn | None] | None = Field(None, examples=[{"color": "red", "sizes": ["S", "M"]}])

    def facts(self) -> dict[str, object]:
        """The given facts as plain values for `domain.product_facts.product_of`."""
        return self.model_dump(include=set(rules.FACTS), exclude_unset=True)


class ImageBody(StrictBody):
    """One picture: its address, its bytes as base64, or the id of a picture the merchant has already sent."""

    url: Annotated[str, Field(max_length=rules.MAX_URL)] | None = Field(
        None, description="An http(s) address the server fetches the picture from."
    )
    data: str | None = Field(None, description="The picture's bytes as base64; a data: URI prefix is allowed.")
    image_id: str | None = Field(None, description="The id of a picture of one of the merchant's products.")


class ProductBody(FactsBody):
    """A product with its pictures, for PUT with a JSON body."""

    images: list[ImageBody] = Field(description="The pictures in order.", max_length=MAX_IMAGES, fail_fast=True)


class ProductPart(FactsBody):
    """The `product` part of a multipart PUT; the pictures come as files named `images`."""


class ImageState(BaseModel):
    """One picture of a product and what became of it."""

    image_id: str | None = Field(description="Its content hash; null while its bytes are not here.")
    state: PictureState
    code: str | None = None
    detail: str | None = None
    name: str | None = None
    url: str | None = Field(None, description="Its thumbnail.")
    source_url: str | None = Field(None, description="The address it is fetched from.")

    @classmethod
    def of(cls, picture: Picture) -> Self:
        """From the domain's picture."""
        return cls(
            image_id=picture.content_hash,
            state=picture.state,
            code=picture.code,
            detail=picture.detail,
            name=picture.name,
            url=image_url(picture.content_hash) if picture.content_hash else None,
            source_url=picture.url,
        )


class AcceptedBody(BaseModel):
    """A change that is durable and will be searchable soon."""

    job_id: str
    product_id: str
    version: int
    state: ProductState = ProductState.PENDING
    images: list[ImageState] | None = None

    @classmethod
    def of(cls, accepted: Accepted, pictures: tuple[Picture, ...] | None = None) -> Self:
        """From what the catalog accepted."""
        return cls(
            job_id=accepted.job_id,
            product_id=accepted.key.product_id,
            version=accepted.version,
            images=None if pictures is None else [ImageState.of(item) for item in pictures],
        )


class ProductFacts(BaseModel):
    """A product's facts as they are given out."""

    title: str
    category: str
    brand: str
    price: str | None = Field(description="Exact, as a decimal string.")
    currency: str | None
    in_stock: bool
    url: str
    attributes: dict[str, Any]


class ProductView(ProductFacts):
    """A product, its state and its pictures."""

    product_id: str
    description: str
    version: int
    state: ProductState
    code: str | None = Field(None, description="Why the product failed.")
    detail: str | None = None
    searchable_at: datetime | None = None
    updated_at: datetime | None = None
    images: list[ImageState]

    @classmethod
    def of(cls, record: ProductRecord) -> Self:
        """From the catalog's row."""
        product = record.product
        return cls(
            product_id=product.key.product_id,
            title=product.title,
            description=product.description,
            category=product.category,
            brand=product.brand,
            price=None if product.price is None else str(product.price),
            currency=product.currency,
            in_stock=product.in_stock,
            url=product.url,
            attributes=attributes_out(product.attributes),
            version=record.version,
            state=record.state,
            code=record.code,
            detail=record.detail,
            searchable_at=record.searchable_at,
            updated_at=record.updated_at,
            images=[ImageState.of(item) for item in record.pictures],
        )


def attributes_out(attributes: Mapping[str, AttributeValue]) -> dict[str, Any]:
    """Attributes as JSON values."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in attributes.items()}


def image_url(image_id: str) -> str:
    """Where a picture's thumbnail is."""
    return f"/v1/images/{image_id}"
