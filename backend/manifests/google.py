"""Google Merchant Center: the product data specification, as a text file or as items of an RSS feed.

Source: support.google.com/merchants/answer/7052112 (product data specification, as of 2025).
"""

import re
from collections.abc import Collection, Iterator

from backend.errors import InvalidField
from backend.manifests.draft import Draft, picture_ref
from backend.manifests.plain_text import category_path, listed, pictures_in, text_of
from backend.manifests.record import ReadRecords, Record

_ATTRIBUTES = ("color", "size", "material", "pattern", "gender", "age_group", "condition", "item_group_id")
_SEVERAL = ("color", "material", "pattern")  # values joined by '/'
_PICTURES = ("image_link", "additional_image_link")
_READ = frozenset(
    (
        *("id", "title", "description", "link", "availability", "price", "sale_price", "brand"),
        *("google_product_category", "product_type"),
        *_ATTRIBUTES,
        *_PICTURES,
    )
)
_PRICE = re.compile(r"(?P<amount>[\d.,]+)\s*(?P<currency>[A-Za-z]{3})?|(?P<first>[A-Za-z]{3})\s*(?P<then>[\d.,]+)")
_PARTED = re.compile(r"\d{1,3}(?:,\d{3})+\.\d+")  # with its point: `1,299` alone may be a thousand or one
_STOCK = {
    "in_stock": True,
    "preorder": True,
    "backorder": True,
    "out_of_stock": False,
    "available_for_order": True,  # this and the next: of older feeds
    "limited_availability": True,
}


class Google:
    """The dialect `google`."""

    name = "google"
    id_column = "id"
    picture_columns = frozenset(_PICTURES)

    @staticmethod
    def column(name: str) -> str:
        """`g:image_link`, `image link` and `Image_Link` are one column."""
        return re.sub(r"[ -]+", "_", name.strip().lower()).removeprefix("g:")

    @staticmethod
    def recognises(columns: Collection[str]) -> bool:
        """Whether these are columns of a product feed."""
        return "id" in columns and "title" in columns and "image_link" in columns

    @staticmethod
    def reads(column: str) -> bool:
        """Whether a column is read."""
        return column in _READ

    @staticmethod
    def groups(read: ReadRecords) -> Iterator[list[Record]]:
        """Each item is a product; `item_group_id` says which are variants of one."""
        return ([record] for record in read())

    @staticmethod
    def draft(group: list[Record]) -> Draft:
        """The product of an item."""
        item = group[0]
        facts: dict[str, object] = {
            "title": item.get("title"),
            "description": text_of(item.get("description")),
            "brand": item.get("brand"),
            "url": item.get("link"),
            "category": _category(item),
            **(_price(item.get("sale_price"), no_zero=True) or _price(item.get("price"))),
        }
        if availability := item.get("availability"):
            facts["in_stock"] = _in_stock(availability)
        attributes = {name: _value(name, cell) for name in _ATTRIBUTES if (cell := item.get(name))}
        if attributes:
            facts["attributes"] = attributes
        pictures = (name for column in _PICTURES for name in pictures_in(item.get(column)))
        known = {name: value for name, value in facts.items() if value not in ("", None)}
        return Draft(item.line, item.get("id"), known, tuple(picture_ref(name) for name in pictures))


def _category(item: Record) -> str:
    """The merchant's own `product_type`, else Google's category where it is written out and not a number."""
    taken = item.get("google_product_category")
    return category_path(item.get("product_type") or ("" if taken.isdecimal() else taken))


def _price(cell: str, *, no_zero: bool = False) -> dict[str, object]:
    """A price and its currency, or nothing. `no_zero`: where systems write 0 for none, as in a sale."""
    found = _PRICE.fullmatch(cell)
    if found is None:
        return {"price": cell} if cell else {}  # refused with the other facts, by its name
    amount, currency = found["amount"] or found["then"], found["currency"] or found["first"]
    if no_zero and not amount.strip("0.,"):
        return {}
    if _PARTED.fullmatch(amount):
        amount = amount.replace(",", "")
    return {"price": amount, **({"currency": currency.upper()} if currency else {})}


def _in_stock(cell: str) -> bool:
    word = re.sub(r"[ -]+", "_", cell.lower())
    if word not in _STOCK:
        raise InvalidField(f"availability: one of {', '.join(_STOCK)} is expected", field="availability")
    return _STOCK[word]


def _value(name: str, cell: str) -> str | list[str]:
    parts = [part.strip() for part in cell.split("/") if part.strip()] if name in _SEVERAL else [cell]
    return listed(parts or [cell])
