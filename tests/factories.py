"""Builders of domain values for tests: every argument has a plain default, so a test names only what it is about."""

import hashlib
from collections.abc import Mapping
from decimal import Decimal

from backend.domain.picture import Picture, PictureState
from backend.domain.product import AttributeValue, Product, ProductKey
from backend.domain.work import Change, Receipt

MERCHANT = "shop"


def key(product_id: str = "p-1", merchant: str = MERCHANT) -> ProductKey:
    return ProductKey(merchant, product_id)


def product(
    product_id: str = "p-1",
    *,
    merchant: str = MERCHANT,
    title: str = "Linen dress",
    description: str = "Light, with pockets.",
    category: str = "clothing/dress",
    brand: str = "Arden",
    price: Decimal | None = Decimal("59.90"),
    currency: str | None = "EUR",
    in_stock: bool = True,
    url: str = "https://shop.example/p-1",
    attributes: Mapping[str, AttributeValue] | None = None,
) -> Product:
    return Product(
        key=key(product_id, merchant),
        title=title,
        description=description,
        category=category,
        brand=brand,
        price=price,
        currency=currency,
        in_stock=in_stock,
        url=url,
        attributes={"color": "red"} if attributes is None else attributes,
    )


def content_hash(name: str) -> str:
    """The sha-256 that a picture of this name would have if its name were its bytes."""
    return hashlib.sha256(name.encode()).hexdigest()


def picture(name: str = "front.jpg", state: PictureState = PictureState.PENDING) -> Picture:
    """A picture whose bytes were kept; pictures of different names have different contents."""
    return Picture(content_hash(name), state, name=name)


def url_picture(name: str = "front.jpg") -> Picture:
    """A picture whose bytes are still at its address."""
    return Picture(None, url=f"https://shop.example/{name}")


def refused_picture(name: str = "broken.jpg", code: str = "image_truncated") -> Picture:
    """A picture whose bytes were refused at the door."""
    return Picture(None, PictureState.FAILED, code=code, detail="cut off", name=name)


def change(
    product_id: str = "p-1",
    *,
    merchant: str = MERCHANT,
    title: str = "Linen dress",
    price: Decimal | None = Decimal("59.90"),
    attributes: Mapping[str, AttributeValue] | None = None,
    pictures: tuple[Picture, ...] | None = None,
    row: int = 1,
    expected_version: int | None = None,
    line: int | None = None,
) -> Change:
    """An upload: facts and pictures (one of the product's own unless others are given)."""
    wanted = product(product_id, merchant=merchant, title=title, price=price, attributes=attributes)
    kept = (picture(f"{product_id}.jpg"),) if pictures is None else pictures
    return Change(wanted.key, wanted, kept, row=row, expected_version=expected_version, line=line)


def facts_change(
    product_id: str = "p-1",
    *,
    merchant: str = MERCHANT,
    title: str = "Linen dress, new price",
    price: Decimal | None = Decimal("49.90"),
    row: int = 1,
    expected_version: int | None = None,
) -> Change:
    """New facts, pictures untouched."""
    wanted = product(product_id, merchant=merchant, title=title, price=price)
    return Change(wanted.key, wanted, None, row=row, expected_version=expected_version)


def deletion(product_id: str = "p-1", *, merchant: str = MERCHANT, row: int = 1) -> Change:
    return Change(key(product_id, merchant), None, row=row)


def receipt(key: str = "key-1", *, merchant: str = MERCHANT, fingerprint: str = "print-1") -> Receipt:
    """What a request with an `Idempotency-Key` leaves."""
    return Receipt(merchant, key, fingerprint)
