r"""WooCommerce: the CSV of its built-in product exporter. Variations are merged into their product.

Source: github.com/woocommerce/woocommerce/wiki/Product-CSV-Import-Schema (WooCommerce 3.1 on; `Brands` since 9.6), and
what the exporter does: rows by ID, so a variation made later stands apart from its product; prices with the shop's own
comma; an apostrophe before what a spreadsheet would take for a formula; the ends of a description's lines as `\n`.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import replace

from backend.errors import InvalidField
from backend.manifests.apart import Apart
from backend.manifests.draft import Draft, picture_ref
from backend.manifests.grouping import grouped
from backend.manifests.plain_text import (
    attribute_name,
    category_path,
    cell_list,
    listed,
    lowest_price,
    pictures_in,
    text_of,
)
from backend.manifests.record import ReadRecords, Record

_READ = frozenset(
    (
        *("id", "type", "sku", "name", "published", "short description", "description", "in stock?", "sale price"),
        *("regular price", "categories", "tags", "brands", "images", "external url", "parent"),
    )
)
_ATTRIBUTE = re.compile(r"attribute (\d{1,3}) (?:name|value\(s\))")
_OF_A_VARIATION = ("type", "sku", "published", "parent", "in stock?", "sale price", "regular price", "images")
_ESCAPED = ("'=", "'+", "'-", "'@")
_STOCK = {"1": True, "yes": True, "true": True, "backorder": True, "0": False, "no": False, "false": False}


class WooCommerce:
    """The dialect `woocommerce`."""

    name = "woocommerce"
    id_column = "sku"
    picture_columns = frozenset(("images",))

    def __init__(self, columns: Collection[str]) -> None:
        """`columns`: of the file, which say how many attributes a product may have."""
        numbers = {found[1] for name in columns if (found := _ATTRIBUTE.fullmatch(name))}
        self._attributes = [
            (f"attribute {n} name", f"attribute {n} value(s)") for n in sorted(numbers, key=lambda n: (len(n), n))
        ]

    @staticmethod
    def column(name: str) -> str:
        """Names count in any case."""
        return name.strip().lower()

    @staticmethod
    def recognises(columns: Collection[str]) -> bool:
        """Whether these are columns of an export."""
        return {"id", "type", "sku", "name"} <= set(columns) and ("regular price" in columns or "in stock?" in columns)

    @staticmethod
    def reads(column: str) -> bool:
        """Whether a column is read."""
        return column in _READ or _ATTRIBUTE.fullmatch(column) is not None

    def groups(self, read: ReadRecords) -> Iterator[list[Record]]:
        """Each product with its variations, then each variation without a product.

        The file is read twice, so that a variation may stand anywhere. Raises `InvalidCsv` when too many stand apart
        from their products.
        """
        apart = Apart([*_OF_A_VARIATION, *(name for pair in self._attributes for name in pair)])
        for first, *_ in grouped(map(_unescaped, read()), _is_variation_of):
            if _is_apart(first):
                apart.keep(first.get("parent"), first)
        for group in grouped(map(_unescaped, read()), _is_variation_of):
            if not _is_apart(group[0]):
                yield [*group, *apart.of(_names_of(group[0]))]
        for line in apart.rest():
            yield [line]

    def draft(self, group: list[Record]) -> Draft:
        """The product: its own facts, the lowest price, the pictures and attributes of all lines.

        Raises `InvalidField` for a variation without a product.
        """
        head = group[0]
        if _is_variation(head):
            parent = head.get("parent")
            raise InvalidField(f"a variation of {parent!r}, which is not among the products read", field="Parent")
        group = [head, *(line for line in group[1:] if _is_published(line))]
        facts: dict[str, object] = {
            "title": head.get("name"),
            "description": text_of(_lines_of(head.get("description") or head.get("short description"))),
            "brand": next(iter(cell_list(head.get("brands"))), ""),
            "category": _category(head),
            "price": lowest_price([price for line in group if (price := _price(line))]),
            "in_stock": _in_stock(group),
            "url": head.get("external url"),
            "attributes": self._attributes_of(group) or None,
        }
        known = {name: value for name, value in facts.items() if value not in ("", None)}
        names = dict.fromkeys(name for line in group for name in pictures_in(line.get("images")))
        product_id = head.get("sku") or head.get("id")
        return Draft(head.line, product_id, known, tuple(picture_ref(name) for name in names))

    def _attributes_of(self, group: list[Record]) -> dict[str, object]:
        found: dict[str, list[str]] = {}
        for line in group:
            for name_column, values_column in self._attributes:
                if (name := attribute_name(line.get(name_column))) and (values := cell_list(line.get(values_column))):
                    found.setdefault(name, []).extend(values)
        attributes: dict[str, object] = {name: listed(values) for name, values in found.items()}
        if tags := cell_list(group[0].get("tags")):
            attributes["tags"] = tags[:50]
        return attributes


def _unescaped(line: Record) -> Record:
    """Without the apostrophes that keep cells from being formulas."""
    if not any(cell[:2] in _ESCAPED for cell in line.values):
        return line
    return replace(line, values=[cell[1:] if cell[:2] in _ESCAPED else cell for cell in line.values])


def _lines_of(text: str) -> str:
    r"""The exporter writes a line's end as `\n`, and a `\n` that was there as `\\n`."""
    return re.sub(r"(?<!\\)\\n", " ", text).replace(r"\\n", r"\n")


def _price(line: Record) -> str:
    """A comma is the decimal point of the shop's language: the exporter writes no others."""
    cell = line.get("sale price") or line.get("regular price")
    return cell.replace(",", ".") if re.fullmatch(r"[0-9]+,[0-9]{1,4}", cell) else cell


def _is_published(line: Record) -> bool:
    """Not private (0) and not a draft (-1); a variation that is switched off is private."""
    return line.get("published") not in ("0", "-1")


def _is_apart(first: Record) -> bool:
    """Whether a group is a variation alone."""
    return first.error is None and _is_variation(first)


def _is_variation(line: Record) -> bool:
    return "variation" in cell_list(line.get("type").lower())


def _is_variation_of(product: Record, line: Record) -> bool:
    return _is_variation(line) and not _is_variation(product) and line.get("parent") in _names_of(product)


def _names_of(product: Record) -> tuple[str, ...]:
    return tuple(name for name in (product.get("sku"), f"id:{product.get('id')}") if name)


def _category(head: Record) -> str:
    """The deepest of its categories, the first of equals."""
    paths = [category_path(text) for text in cell_list(head.get("categories"))]
    return max(paths, key=lambda path: path.count("/"), default="")


def _in_stock(group: list[Record]) -> bool | None:
    """Whether it can be bought: published (not private, not a draft), and it or a variation is in stock."""
    if not _is_published(group[0]):
        return False
    cells = [cell for line in group[1:] or group if (cell := line.get("in stock?").lower())]
    if wrong := next((cell for cell in cells if cell not in _STOCK), None):
        raise InvalidField(f"In stock?: 1, 0 or backorder is expected, not {wrong[:20]!r}", field="In stock?")
    return any(_STOCK[cell] for cell in cells) if cells else None
