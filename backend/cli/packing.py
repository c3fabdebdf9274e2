"""A CSV with local picture paths -> ZIPs of bounded size, each with its rows and their pictures."""

import csv
import io
import itertools
import re
import tempfile
import zipfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.errors import InvalidCsv, MissingColumn, PictureMissing
from backend.manifests.template import PICTURE_SEPARATOR, PICTURES

if TYPE_CHECKING:
    from _csv import Reader

PART_BYTES = 256_000_000  # pictures per ZIP: bounds the disk used for the moment and what a broken connection costs
FIRST_PART_BYTES = 4_000_000  # there in a moment, so that the server works while the rest is packed and sent
PART_GROWTH = 4  # each part is worked on for longer than the next takes to be packed


@dataclass(frozen=True, slots=True)
class Part:
    """A ZIP of some rows. `rows`: their numbers in the catalog; `refused`: rows so far that could not be read."""

    archive: Path
    rows: list[int]
    refused: list[dict[str, Any]]


def parts(catalog: Path, pictures: Collection[str] = PICTURES) -> Iterator[Part]:
    """The catalog as ZIPs of bounded size, small ones first, in a folder that goes with the last. `pictures`: columns.

    Raises `MissingColumn` or `InvalidCsv`.
    """
    with tempfile.TemporaryDirectory(prefix="shelfsight-ingest-") as folder, open_text(catalog) as text:
        reader = csv.reader(text, strict=True)
        header = _header(catalog, reader, pictures)
        refused: list[dict[str, Any]] = []
        rows = _rows(reader, refused)
        row = next(rows, None)
        size = FIRST_PART_BYTES
        for number in itertools.count():
            archive, sent = Path(folder) / f"part-{number}.zip", []
            with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as target:  # pictures are compressed already
                manifest = io.StringIO()
                writer = csv.writer(manifest)
                writer.writerow(header)
                packed = _Packed(target, catalog.parent, pictures)
                while row is not None and packed.bytes < min(size, PART_BYTES):
                    sent.append(row[0])
                    writer.writerow(packed.row(header, row[1]))
                    row = next(rows, None)
                target.writestr("products.csv", manifest.getvalue().encode("utf-8", "surrogateescape"))
            yield Part(archive, sent, refused)
            size *= PART_GROWTH
            if row is None:
                return


def count_rows(catalog: Path) -> int:
    """How many rows a CSV has, those that cannot be read among them. Raises `PictureMissing` when it cannot be opened,
    `InvalidCsv` when its header cannot be read.
    """
    with open_text(catalog) as text:
        reader = csv.reader(text, strict=True)
        _names(catalog, reader)
        refused: list[dict[str, Any]] = []
        return sum(1 for _ in _rows(reader, refused)) + len(refused)


def open_text(catalog: Path) -> io.TextIOWrapper:
    """A CSV as text; a byte that is not UTF-8 spoils its row and not the file. Raises `PictureMissing`."""
    try:
        return catalog.open(encoding="utf-8-sig", errors="surrogateescape", newline="")
    except OSError as err:
        raise PictureMissing(f"{catalog} cannot be read: {err.strerror}") from err


def _names(catalog: Path, reader: "Reader") -> list[str]:
    try:
        return [name.strip() for name in next(reader, [])]
    except csv.Error as err:
        raise InvalidCsv(f"{catalog}: the header cannot be read: {err}") from err


def _header(catalog: Path, reader: "Reader", pictures: Collection[str]) -> list[str]:
    header = _names(catalog, reader)
    if not any(name in header for name in pictures):
        raise MissingColumn(f"{catalog} needs the columns product_id and image; its header has: {', '.join(header)}")
    return header


def _rows(reader: "Reader", refused: list[dict[str, Any]]) -> Iterator[tuple[int, list[str]]]:
    """Rows with their numbers; what cannot be read goes to `refused` and the reading goes on."""
    for number in itertools.count(1):
        try:
            cells = next(row for row in reader if row)
        except StopIteration:
            return
        except csv.Error as err:
            reason = f"line {reader.line_num}: {err}"
            refused.append({"row": number, "product_id": None, "code": InvalidCsv.code, "detail": reason})
        else:
            yield number, cells


class _Packed:
    """Puts the pictures a row names into the ZIP, each file once, under names that are safe in any ZIP."""

    def __init__(self, target: zipfile.ZipFile, folder: Path, pictures: Collection[str]) -> None:
        self.bytes = 0
        self._target = target
        self._folder = folder
        self._pictures = pictures
        self._names: dict[str, str] = {}

    def row(self, header: list[str], cells: list[str]) -> list[str]:
        """The row with its pictures' names in the ZIP; what is not there keeps its name and fails by it."""
        return [
            PICTURE_SEPARATOR.join(self._pack(name.strip()) for name in cell.split(PICTURE_SEPARATOR) if name.strip())
            if index < len(header) and header[index] in self._pictures
            else cell
            for index, cell in enumerate(cells)
        ]

    def _pack(self, name: str) -> str:
        if name not in self._names:
            path = self._folder / name
            inside = f"pictures/{len(self._names):07d}-{re.sub(r'[^A-Za-z0-9._-]', '_', path.name)[-60:]}"
            try:
                self._target.write(path, inside)
                self.bytes += path.stat().st_size
            except (OSError, ValueError):  # an address too, which no file has as its name
                inside = name
            self._names[name] = inside
        return self._names[name]
