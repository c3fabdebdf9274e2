"""A ZIP of products: a CSV at its top and the pictures beside it, read where they lie."""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO, Self

from backend.errors import ImageTooLarge, InvalidArchive, PictureMissing, UnreadableImage, UnsafeArchiveName
from backend.manifests.table import ProductTable
from backend.ports import Row

MANIFEST_NAMES = ("products.csv", "catalog.csv")
_SHOWN = 80  # characters of a hostile name worth repeating in a message

# What zipfile raises on damaged archives, found by cutting and flipping bytes (tests/unit/manifests).
_DAMAGE = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    EOFError,
    ValueError,
    NotImplementedError,
    OSError,
    RuntimeError,
)


class ZipReader:
    """Opens ZIPs of products. The port's `ManifestReader`."""

    def __init__(self, *, max_picture_bytes: int, default_currency: str, max_entries: int = 1_000_000) -> None:
        """`max_entries`: the directory is held in memory, about 1 kB an entry."""
        self._max_picture_bytes = max_picture_bytes
        self._default_currency = default_currency
        self._max_entries = max_entries

    def open(self, source: IO[bytes], merchant: str) -> "ZipManifest":
        """Check names and header. Raises `InvalidArchive`, `UnsafeArchiveName`, `MissingColumn`, `InvalidCsv`."""
        try:
            archive = zipfile.ZipFile(source)
        except _DAMAGE as err:
            raise InvalidArchive(f"this is not a ZIP that can be read: {err}") from err
        if len(archive.infolist()) > self._max_entries:
            raise InvalidArchive(f"more than {self._max_entries} entries")
        for info in archive.infolist():
            _check_entry(info)
        return ZipManifest(archive, _manifest_of(archive), merchant, self._default_currency, self._max_picture_bytes)


class ZipManifest:
    """An open ZIP of products. The port's `Manifest`."""

    def __init__(
        self, archive: zipfile.ZipFile, manifest: str, merchant: str, currency: str, max_picture_bytes: int
    ) -> None:
        self._archive = archive
        self._max_picture_bytes = max_picture_bytes
        self._folder = PurePosixPath(manifest).parent
        try:
            raw = archive.open(manifest)
        except _DAMAGE as err:
            raise InvalidArchive(f"{manifest} cannot be read: {err}") from err
        # utf-8-sig: spreadsheets write a byte order mark. surrogateescape: one bad byte spoils its row, not the file.
        self._text = io.TextIOWrapper(raw, encoding="utf-8-sig", errors="surrogateescape", newline="")
        try:
            self._table = ProductTable(self._text, merchant, currency)
        except _DAMAGE as err:
            raise InvalidArchive(f"{manifest} cannot be read: {err}") from err

    @property
    def ignored_columns(self) -> tuple[str, ...]:
        """Columns that are no product's field."""
        return self._table.ignored_columns

    def rows(self, *, first: int = 1) -> Iterator[Row]:
        """Rows from number `first`. Raises `InvalidArchive` when the ZIP is damaged inside."""
        try:
            yield from self._table.rows(first=first)
        except _DAMAGE as err:
            raise InvalidArchive(f"the manifest breaks off: {err}") from err

    def picture(self, name: str) -> bytes:
        """An entry's bytes, never more than the limit whatever the directory claims."""
        shown = name[:_SHOWN]
        try:
            info = self._archive.getinfo(str(self._folder / name))
        except (KeyError, ValueError):
            raise PictureMissing(f"no entry {shown!r} in the ZIP", field="image") from None
        try:
            with self._archive.open(info) as entry:
                data = entry.read(self._max_picture_bytes + 1)
        except _DAMAGE as err:
            raise UnreadableImage(f"entry {shown!r} is damaged: {err}", field="image") from err
        if len(data) > self._max_picture_bytes:
            raise ImageTooLarge(f"entry {shown!r} has more than {self._max_picture_bytes} bytes", field="image")
        return data

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._text.close()
        self._archive.close()


def _check_entry(info: zipfile.ZipInfo) -> None:
    """A name is refused although nothing is unpacked here: an archive that tries is not a catalog."""
    name = info.orig_filename
    parts = re.split(r"[/\\]", name)
    if name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name) or ".." in parts or "\x00" in name:
        raise UnsafeArchiveName(f"entry {name[:_SHOWN]!r} would lie outside the archive")
    if info.flag_bits & 0x1:  # bit 0 of the general purpose flag: encrypted (APPNOTE 4.4.4)
        raise InvalidArchive(f"entry {name[:_SHOWN]!r} is encrypted")


def _manifest_of(archive: zipfile.ZipFile) -> str:
    names = [info.filename for info in archive.infolist() if not info.is_dir()]
    for wanted in MANIFEST_NAMES:
        if wanted in names:
            return wanted
    tables = [name for name in names if name.lower().endswith(".csv")]
    if len(tables) == 1:  # a folder zipped from outside has its CSV one level down
        return tables[0]
    raise InvalidArchive(f"the ZIP needs {MANIFEST_NAMES[0]} at its top; it has {len(tables)} CSV files")
