"""Shelfsight's own columns: the template of docs/imports.md."""

import re
from collections.abc import Iterator, Mapping

from backend.domain.product_facts import ATTRIBUTE_PATTERN
from backend.manifests.draft import Draft, picture_ref
from backend.manifests.record import ReadRecords, Record

PLAIN = ("title", "description", "category", "brand", "price", "currency", "url")
PICTURES = ("image", "images")
PICTURE_SEPARATOR = "|"
ATTRIBUTE_PREFIX = "attributes."

_BOOLEANS = {"true": True, "yes": True, "1": True, "y": True, "false": False, "no": False, "0": False, "n": False}


class Template:
    """The dialect `shelfsight`. Also reads the columns a caller maps in any other dialect."""

    name = "shelfsight"

    def __init__(self, sources: Mapping[str, str]) -> None:
        """`sources`: a product's field -> the column it is in."""
        self._sources = sources
        self.id_column = sources.get("product_id", "product_id")
        self.columns = frozenset(sources.values())
        self.picture_columns = frozenset(sources[name] for name in PICTURES if name in sources)

    @staticmethod
    def column(name: str) -> str:
        """Names count as they are written."""
        return name

    def reads(self, column: str) -> bool:
        """Whether a column is a product's field."""
        return column in self.columns

    @staticmethod
    def groups(read: ReadRecords) -> Iterator[list[Record]]:
        """Each line is a product."""
        return ([record] for record in read())

    def draft(self, group: list[Record]) -> Draft:
        """The product of a line. An empty cell says nothing."""
        record = group[0]
        cells = {name: cell for name, column in self._sources.items() if (cell := record.get(column))}
        facts: dict[str, object] = {name: cells[name] for name in PLAIN if name in cells}
        if stock := cells.get("in_stock"):
            facts["in_stock"] = _BOOLEANS.get(
                stock.lower(), stock
            )  # what is no boolean is refused with the other facts
        attributes = {
            name.removeprefix(ATTRIBUTE_PREFIX): cell
            for name, cell in cells.items()
            if name.startswith(ATTRIBUTE_PREFIX)
        }
        if attributes:
            facts["attributes"] = attributes
        names = (name.strip() for column in PICTURES for name in cells.get(column, "").split(PICTURE_SEPARATOR))
        return Draft(record.line, cells.get("product_id"), facts, tuple(picture_ref(name) for name in names if name))


def is_field(name: str) -> bool:
    """Whether the template has a column of this name."""
    return name in {"product_id", "in_stock", *PLAIN, *PICTURES} or (
        name.startswith(ATTRIBUTE_PREFIX)
        and re.fullmatch(ATTRIBUTE_PATTERN, name.removeprefix(ATTRIBUTE_PREFIX)) is not None
    )
