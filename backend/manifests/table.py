"""CSV and TSV -> records. A bad line is a record with an error, and the reading goes on (RFC 4180, strict quoting)."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice

from backend.domain.product_facts import shown
from backend.errors import InvalidCsv
from backend.manifests.record import Borrowed, Record

MAX_COLUMNS = 500  # exports of shop systems have up to about 200; a header of a million is no catalog
MAX_ROW_CHARS = 4_000_000  # a description has at most 20,000; csv itself admits no cell beyond 131,072

_HEADER_LINES = 1_000  # looked through while somebody waits; a ZIP packs a million empty ones in a kilobyte
_UNDECODED = re.compile("[\udc80-\udcff]")
_LINE_ENDS = ("\n", "\r")
_PASSED = 1 << 16  # characters at once of what is passed over
_BOM_16 = (b"\xff\xfe", b"\xfe\xff")


class Table:
    """Reads a table from bytes. Nothing but the row at hand is in memory, however long a line is."""

    def __init__(self, stream: Borrowed, delimiter: str) -> None:
        """Read the header. Raises `InvalidCsv`."""
        # utf-8-sig: spreadsheets write a byte order mark. surrogateescape: one bad byte spoils its row, not the file.
        text = io.TextIOWrapper(io.BufferedReader(stream), "utf-8-sig", "surrogateescape", newline="")
        self._lines = _Lines(text)
        self._reader = csv.reader(self._lines, delimiter=delimiter, strict=True)
        self.header = self._read_header()

    def records(self, column: Callable[[str], str]) -> Iterator[Record]:
        """The records below the header, by the names `column` makes of the header's. Empty lines are none."""
        index = {column(name): at for at, name in enumerate(self.header) if name}
        while True:
            self._lines.begin_row()
            line = self._lines.number + 1
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as err:
                yield Record(line, error=InvalidCsv(f"line {self._lines.number}: {err}"))
                # too large, not wrongly quoted: its quotes can be counted
                if self._lines.used > csv.field_size_limit():
                    self._lines.pass_to_closing_quote()
                continue
            if cells:
                yield self._record(line, cells, index)

    def _record(self, line: int, cells: list[str], index: Mapping[str, int]) -> Record:
        if len(cells) != len(self.header):
            wrong = f"line {line}: {len(cells)} cells where the header has {len(self.header)}"
            return Record(line, error=InvalidCsv(wrong))  # its cells may be anybody's
        if any(not cell.isascii() and _UNDECODED.search(cell) for cell in cells):
            return Record(line, cells, index, InvalidCsv(f"line {line}: the row is not UTF-8"))
        if any("\r" in cell for cell in cells):  # a line's end inside quotes; text is kept with plain ones
            cells = [cell.replace("\r\n", "\n").replace("\r", "\n") for cell in cells]
        return Record(line, cells, index)

    def _read_header(self) -> list[str]:
        try:
            first = next((row for row in islice(self._reader, _HEADER_LINES) if row), [])
            header = [name.strip() for name in first]
        except csv.Error as err:
            raise InvalidCsv(f"the header cannot be read: {err}", field="header") from err
        if not header:
            raise InvalidCsv(f"the file is empty, or its first {_HEADER_LINES} lines are", field="header")
        start = "".join(header)[:4].encode("utf-8", "surrogateescape")
        if start.startswith(_BOM_16):
            raise InvalidCsv("the file is UTF-16; save it as UTF-8", field="header")
        if any(shown(name, len(name)) != name for name in header):
            raise InvalidCsv("the header is not text in UTF-8", field="header")
        if len(header) > MAX_COLUMNS:
            raise InvalidCsv(f"more than {MAX_COLUMNS} columns", field="header")
        if twice := sorted({name for name in header if name and header.count(name) > 1}):
            raise InvalidCsv(f"the header names a column twice: {shown(', '.join(twice))}", field="header")
        return header


class _Lines:
    """Lines for csv, which reads as many as a row has. `used`: characters of the row so far, at least."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self.number = 0
        self.used = 0
        self._is_quoted = False

    def begin_row(self) -> None:
        """Count anew."""
        self.used, self._is_quoted = 0, False

    def pass_to_closing_quote(self) -> None:
        """Pass over the lines that are still inside a quoted cell, which are no rows."""
        while self._is_quoted and (line := self._text.readline(_PASSED)):
            self.number += line.endswith(_LINE_ENDS)
            self._follow(line)

    def _follow(self, line: str) -> None:
        self._is_quoted ^= line.count('"') % 2 == 1  # a quote inside quotes is doubled

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline(MAX_ROW_CHARS + 1 - self.used)
        if not line:
            raise StopIteration
        self.number += 1
        self._follow(line)
        self.used += len(line)
        if self.used > MAX_ROW_CHARS:
            while line and not line.endswith(_LINE_ENDS):
                line = self._text.readline(_PASSED)
                self._follow(line)
            raise csv.Error(f"a row of more than {MAX_ROW_CHARS} characters")
        return line
