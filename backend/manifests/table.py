"""A CSV of products: its header, and each row turned into a product or a reason.

Rows stand on their own: a bad one is reported with its number and the reading goes on.
"""

import csv
from collections.abc import Iterator, Mapping
from typing import TextIO

from backend.domain.product import ProductKey
from backend.domain.product_facts import product_id_of, product_of, shown
from backend.errors import FieldError, InvalidCsv, InvalidField, InvalidInput, MissingColumn
from backend.ports import Row

PLAIN = ("title", "description", "category", "brand", "price", "currency", "url")
PICTURES = ("image", "images")
PICTURE_SEPARATOR = "|"
ATTRIBUTE_PREFIX = "attributes."
MAX_COLUMNS = 200  # a header of a million columns is no catalog

_TRUE = ("true", "yes", "1", "y")
_FALSE = ("false", "no", "0", "n")


class ProductTable:
    """Reads rows from an open text file (UTF-8 decoded with `surrogateescape`, newline="")."""

    def __init__(self, text: TextIO, merchant: str, default_currency: str) -> None:
        """Read and check the header. Raises `MissingColumn` or `InvalidCsv`."""
        self._merchant = merchant
        self._currency = default_currency
        self._reader = csv.reader(text, strict=True)
        self._header = self._read_header()
        self.ignored_columns = tuple(name for name in self._header if name and not _known(name))

    def _read_header(self) -> list[str]:
        try:
            header = [name.strip() for name in next(self._reader)]
        except StopIteration:
            raise InvalidCsv("the file is empty", field="header") from None
        except csv.Error as err:
            raise InvalidCsv(f"the header cannot be read: {err}", field="header") from err
        if len(header) > MAX_COLUMNS:
            raise InvalidCsv(f"more than {MAX_COLUMNS} columns", field="header")
        if twice := sorted({name for name in header if name and header.count(name) > 1}):
            raise InvalidCsv(f"the header names a column twice: {', '.join(twice)}", field="header")
        missing = [] if "product_id" in header else ["product_id"]
        if not any(name in header for name in PICTURES):
            missing.append("image")
        if missing:
            raise MissingColumn(
                f"the header lacks: {', '.join(missing)}",
                errors=[FieldError(name, MissingColumn.code, "this column is required") for name in missing],
            )
        return header

    def rows(self, *, first: int = 1) -> Iterator[Row]:
        """Rows from number `first`; empty lines are no rows."""
        number = 0
        while True:
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as err:
                number += 1
                if number >= first:
                    yield Row(number, None, error=InvalidCsv(f"line {self._reader.line_num}: {err}"))
                continue
            if not cells:
                continue
            number += 1
            if number >= first:
                yield self._row(number, cells)

    def _row(self, number: int, cells: list[str]) -> Row:
        if len(cells) != len(self._header):
            return Row(number, None, error=InvalidCsv(f"{len(cells)} cells where the header has {len(self._header)}"))
        record = {name: cell.strip() for name, cell in zip(self._header, cells, strict=True) if name}
        product_id = record.get("product_id") or None
        try:
            if any("\udc80" <= char <= "\udcff" for cell in cells for char in cell):
                raise InvalidCsv("the row is not UTF-8")
            key = ProductKey(self._merchant, product_id_of(product_id or ""))
            product = product_of(key, _facts(record), default_currency=self._currency)
            return Row(number, product_id, product, _picture_names(record))
        except InvalidInput as err:
            return Row(number, shown(product_id) if product_id else None, error=err)


def _known(name: str) -> bool:
    return name in (*PLAIN, *PICTURES, "product_id", "in_stock") or name.startswith(ATTRIBUTE_PREFIX)


def _facts(record: Mapping[str, str]) -> dict[str, object]:
    facts: dict[str, object] = {name: record[name] for name in PLAIN if record.get(name)}
    facts["in_stock"] = _boolean(record.get("in_stock", ""))
    facts["attributes"] = {
        name.removeprefix(ATTRIBUTE_PREFIX): cell
        for name, cell in record.items()
        if name.startswith(ATTRIBUTE_PREFIX) and cell
    }
    return facts


def _boolean(cell: str) -> bool | None:
    word = cell.lower()
    if not word:
        return None
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise InvalidField(f"in_stock: true or false is expected, not {cell[:20]!r}", field="in_stock")


def _picture_names(record: Mapping[str, str]) -> tuple[str, ...]:
    names = (name.strip() for column in PICTURES for name in record.get(column, "").split(PICTURE_SEPARATOR))
    return tuple(name for name in names if name)
