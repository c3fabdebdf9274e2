"""A product as its merchant describes it, and as the catalog keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from backend.domain.picture import Picture

AttributeValue: TypeAlias = str | int | float | bool | tuple[str, ...]


class ProductKey(NamedTuple):
    """Names one product. Every row, point, cache and query carries the merchant, so nothing crosses merchants."""

    merchant: str
    product_id: str


@dataclass(frozen=True, slots=True)
class Product:
    """The merchant's own facts about a product. `category` is a normalised path such as `clothing/dress`, or empty."""

    key: ProductKey
    title: str = ""
    description: str = ""
    category: str = ""
    brand: str = ""
    price: Decimal | None = None
    currency: str | None = None
    in_stock: bool = True
    url: str = ""
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)


class ProductState(StrEnum):
    """Where a product stands; derived from its row, never stored."""

    PENDING = "pending"
    SEARCHABLE = "searchable"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ProductRecord:
    """A product's row in the catalog: the facts, its pictures in order, and how far the index is behind.

    The index is behind while `indexed_version < version`. `code` and `detail` say why the last version failed.
    `dropped`: content hashes of pictures the product no longer has, but which the index may still hold, or may yet be
    given by a worker that is late.
    """

    product: Product
    pictures: tuple[Picture, ...]
    version: int
    indexed_version: int
    deleted: bool = False
    code: str | None = None
    detail: str | None = None
    searchable_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    dropped: tuple[str, ...] = ()

    @property
    def state(self) -> ProductState:
        """`failed` when a code was left, also while the index is still to be cleared of it; else `pending` while the
        index is behind, else `searchable`.
        """
        if self.code:
            return ProductState.FAILED
        return ProductState.PENDING if self.indexed_version < self.version else ProductState.SEARCHABLE


def ancestors_of(category: str) -> tuple[str, ...]:
    """`clothing/dress/long` -> `clothing`, `clothing/dress`, `clothing/dress/long`: what a category filter matches."""
    parts = category.split("/") if category else []
    return tuple("/".join(parts[: n + 1]) for n in range(len(parts)))
