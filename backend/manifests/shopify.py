"""Shopify: the product CSV its admin exports. Lines of one handle are one product.

Source: help.shopify.com/en/manual/products/import-export/using-csv. Read by both sets of names: the export's (`Handle`,
`Body (HTML)`, `Image Src`) and those of the template of 2024 (`URL handle`, `Description`, `Product image URL`).
"""

import re
from collections.abc import Collection, Iterator

from backend.errors import InvalidField
from backend.manifests.draft import Draft, picture_ref
from backend.manifests.grouping import grouped
from backend.manifests.plain_text import attribute_name, category_path, cell_list, listed, lowest_price, text_of
from backend.manifests.record import ReadRecords, Record

_NEW_NAMES = {
    "url handle": "handle",
    "description": "body (html)",
    "published on online store": "published",
    "price": "variant price",
    "inventory tracker": "variant inventory tracker",
    "inventory quantity": "variant inventory qty",
    "continue selling when out of stock": "variant inventory policy",
    "product image url": "image src",
}
_OPTIONS = tuple((f"option{n} name", f"option{n} value") for n in (1, 2, 3))
_READ = frozenset(
    (
        *("handle", "title", "body (html)", "vendor", "product category", "type", "tags", "published", "status"),
        *("variant price", "variant inventory tracker", "variant inventory qty", "variant inventory policy"),
        *("image src", "image position"),
        *(name for option in _OPTIONS for name in option),
    )
)
_NO_OPTION = "Default Title"  # what a product without variants has as its only option's value


class Shopify:
    """The dialect `shopify`."""

    name = "shopify"
    id_column = "handle"
    picture_columns = frozenset(("image src", "image position"))

    @staticmethod
    def column(name: str) -> str:
        """Both sets of names, in any case, as those of the export."""
        plain = name.strip().lower()
        return _NEW_NAMES.get(plain, plain)

    @staticmethod
    def recognises(columns: Collection[str]) -> bool:
        """Whether these are columns of an export."""
        return "handle" in columns and ("variant price" in columns or "image src" in columns)

    @staticmethod
    def reads(column: str) -> bool:
        """Whether a column is read."""
        return column in _READ

    @staticmethod
    def groups(read: ReadRecords) -> Iterator[list[Record]]:
        """The lines of each handle, which the export writes one after another."""
        return grouped(read(), lambda first, line: "" != first.get("handle") == line.get("handle"), _is_first)

    @staticmethod
    def draft(group: list[Record]) -> Draft:
        """The product of a handle: the first line's facts, the variants' lowest price, all lines' pictures."""
        head = group[0]
        facts: dict[str, object] = {
            "title": head.get("title"),
            "description": text_of(head.get("body (html)")),
            "brand": head.get("vendor"),
            "category": category_path(head.get("product category") or head.get("type")),
            "price": lowest_price([cell for line in group if (cell := line.get("variant price"))]),
            "in_stock": _in_stock(group),
            "attributes": _attributes(group) or None,
        }
        known = {name: value for name, value in facts.items() if value not in ("", None)}
        return Draft(head.line, head.get("handle"), known, tuple(picture_ref(name) for name in _pictures(group)))


def _is_first(line: Record) -> bool:
    """Only the first line of a product has its title, where the table has titles at all."""
    return "title" not in line.index or line.get("title") != ""


def _in_stock(group: list[Record]) -> bool | None:
    """Whether it can be bought: published, and a variant is there, is not counted, or is sold beyond what is there."""
    head = group[0]
    if head.get("published").lower() == "false" or head.get("status").lower() in ("draft", "archived"):
        return False
    variants = [line for line in group if line.get("variant price") or line.get("option1 value")]
    if not variants or "variant inventory qty" not in head.index:
        return None
    return any(
        not _is_counted(line)
        or line.get("variant inventory policy").lower() in ("continue", "true")
        or _quantity(line.get("variant inventory qty")) > 0
        for line in variants
    )


def _is_counted(line: Record) -> bool:
    """By its tracker; a table without that column counts what has a quantity."""
    tracker = "variant inventory tracker"
    return line.get(tracker if tracker in line.index else "variant inventory qty") != ""


def _quantity(cell: str) -> int:
    if not re.fullmatch(r"-?\d{0,15}", cell):
        raise InvalidField("Variant Inventory Qty: a whole number is expected", field="Variant Inventory Qty")
    return int(cell) if cell.strip("-") else 0


def _attributes(group: list[Record]) -> dict[str, object]:
    found: dict[str, object] = {}
    if tags := cell_list(group[0].get("tags")):
        found["tags"] = tags[:50]
    for name_column, value_column in _OPTIONS:
        name = attribute_name(group[0].get(name_column))
        values = [cell for line in group if (cell := line.get(value_column)) and cell != _NO_OPTION]
        if name and values:
            found[name] = listed(values)
    return found


def _pictures(group: list[Record]) -> list[str]:
    """The pictures of all lines by `Image Position`; those without one stay where they are, behind."""
    named = [(line.get("image position"), line.get("image src")) for line in group if line.get("image src")]
    named.sort(key=lambda item: int(item[0]) if re.fullmatch(r"\d{1,9}", item[0]) else 10**9)
    return list(dict.fromkeys(name for _, name in named))
