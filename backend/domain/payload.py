"""What an index keeps beside a picture's vector: the product's facts, in the types every engine can filter by."""

import hashlib
import uuid
from datetime import datetime
from typing import TypeAlias

from backend.domain.product import AttributeValue, Product, ProductKey, ancestors_of
from backend.domain.shelves import FIELD as SHELVES
from backend.domain.shelves import shelves_of
from backend.domain.words import WordField, pieces_of, product_words

Payload: TypeAlias = dict[str, object]
"""JSON values only. Booleans are 0 and 1: the embedded engine turns a boolean filter into an integer one that would
match nothing else (measured). `price` is a float here and only here; the catalog keeps the exact decimal."""

_PRODUCT_BYTES, _PICTURE_BYTES = 10, 6


def point_id(key: ProductKey, content_hash: str) -> str:
    """The point of one picture of one product: the same upload always meets the same point (RFC 9562, version 8).

    The first ten bytes are a hash of the product's name, see `product_part`, the last six one of its picture's. Of the
    ten, 74 bits are free: among 100 million products two share them with a probability of 3e-7.
    """
    product = bytearray(_hash(f"{key.merchant}\x1f{key.product_id}", _PRODUCT_BYTES))
    product[6] = 0x80 | product[6] & 0x0F  # version 8: a layout of our own
    product[8] = 0x80 | product[8] & 0x3F  # the variant of RFC 9562
    return str(uuid.UUID(bytes=bytes(product) + _hash(content_hash, _PICTURE_BYTES)))


def _hash(text: str, size: int) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size).digest()


def product_part(point: uuid.UUID) -> int:
    """What the ids of all points of a product begin with: of thousands of points found, no payload has to be read to
    tell which are of one product.
    """
    return point.int >> 8 * _PICTURE_BYTES


NOT_LEADING: Payload = {"lead": 0, WordField.WORDS.value: None, WordField.SPELLING.value: None}
"""The facts of a product's other points, see `leading_payload`."""


def product_payload(product: Product, version: int, added_at: datetime | None = None) -> Payload:
    """The facts shared by all points of a product; a metadata change rewrites these and leaves the vectors alone.

    `attribute_terms` repeats the attributes that are texts or flags in one list, see `text_term` and `flag_term`: their
    names are the merchants' own, so that no index could be made for each. `attribute_numbers` has the names of those
    that are numbers, and the numbers, see `number_term`: apart, because numbers are not counted as facets.
    """
    categories = list(ancestors_of(product.category))
    price = None if product.price is None else float(product.price)
    return {
        "merchant": product.key.merchant,
        "product_id": product.key.product_id,
        "version": version,
        "title": product.title,
        "category": product.category,
        "categories": categories,
        SHELVES: shelves_of(categories, price),
        "brand": product.brand,
        "price": price,
        "price_exact": None if product.price is None else str(product.price),
        "currency": product.currency,
        "in_stock": int(product.in_stock),
        "url": product.url,
        "attributes": {name: _plain(value) for name, value in product.attributes.items()},
        "attribute_flags": sorted(name for name, value in product.attributes.items() if isinstance(value, bool)),
        "attribute_terms": [term for name, value in sorted(product.attributes.items()) for term in _terms(name, value)],
        "attribute_numbers": [
            term for name, value in sorted(product.attributes.items()) for term in _number_terms(name, value)
        ],
        "added_at": None if added_at is None else added_at.timestamp(),
    }


def leading_payload(product: Product) -> Payload:
    """The facts of one point of a product alone, its first picture's: it is counted, and searched by words, for all.

    So counts are of products, and a word is as rare as the products that have it, however many pictures they have.
    """
    words = product_words(product)
    return {
        "lead": 1,
        WordField.WORDS.value: " ".join(words),
        WordField.SPELLING.value: " ".join(pieces_of(words)),
    }


def picture_payload(content_hash: str) -> Payload:
    """The facts of one point alone: which picture it is."""
    return {"image": content_hash}


def text_term(name: str, value: str) -> str:
    """`colour=red`. A name has neither of the two signs, so the first of them ends it."""
    return f"{name}={value}"


def flag_term(name: str, *, value: bool) -> str:
    """`new!true`: a flag is not met by the text `true`."""
    return f"{name}!{str(value).lower()}"


def number_term(name: str, value: float) -> str:
    """`weight=3` for 3 and for 3.0: equal numbers have equal terms, and others others, however large."""
    whole = int(value) if value % 1 == 0 else value
    return f"{name}={whole!r}"


def _number_terms(name: str, value: AttributeValue) -> list[str]:
    """The name by itself says that there is a number: an engine that seeks one by range reads no other product."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return []
    return [name, number_term(name, value)]


def _terms(name: str, value: AttributeValue) -> list[str]:
    match value:
        case bool():
            return [flag_term(name, value=value)]
        case str():
            return [text_term(name, value)]
        case tuple():
            return [text_term(name, entry) for entry in value]
    return []  # a number: see `_number_terms`


def _plain(value: AttributeValue) -> object:
    if isinstance(value, bool):
        return int(value)
    return list(value) if isinstance(value, tuple) else value
