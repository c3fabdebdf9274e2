"""Lines of a table that stand apart from the product they belong to, held until it comes."""

import sys
from collections.abc import Iterable, Sequence

from backend.errors import InvalidCsv
from backend.manifests.record import Record

MAX_APART_BYTES = 100_000_000  # of memory: about 100,000 lines, more than a shop of 10,000 such products has

_LINE_COST = 200  # bytes of a record and its place in a list, beside its cells


class Apart:
    """Lines by the name of their product. Only some columns of each are kept, since memory is smaller than a table."""

    def __init__(self, columns: Sequence[str]) -> None:
        """`columns`: those that are kept."""
        self._index = {column: at for at, column in enumerate(columns)}
        self._lines: dict[str, list[Record]] = {}
        self._met: set[str] = set()
        self._bytes = 0

    def keep(self, product: str, line: Record) -> None:
        """Hold a line for its product. Raises `InvalidCsv` when they are too many."""
        cells = tuple(line.get(column) for column in self._index)
        self._bytes += _LINE_COST + 8 * len(cells) + sum(sys.getsizeof(cell) for cell in cells if cell)
        if self._bytes > MAX_APART_BYTES:
            raise InvalidCsv(
                f"line {line.line}: too many lines stand apart from their products; "
                "sort the file so that they follow them, or send it in parts"
            )
        self._lines.setdefault(product, []).append(Record(line.line, cells, self._index))

    def of(self, names: Iterable[str]) -> list[Record]:
        """The lines of the product that has these names."""
        known = [name for name in names if name in self._lines]
        self._met.update(known)
        return [line for name in known for line in self._lines[name]]

    def rest(self) -> list[Record]:
        """The lines whose products were never asked for, in their order."""
        lines = (line for name, lines in self._lines.items() if name not in self._met for line in lines)
        return sorted(lines, key=lambda line: line.line)
