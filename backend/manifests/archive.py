"""A ZIP of products: a file of products and the pictures beside it, read where they lie."""

import re
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import IO

from backend.domain.importing import FileForm
from backend.domain.product_facts import shown
from backend.errors import ImageTooLarge, InvalidArchive, PictureMissing, UnreadableImage, UnsafeArchiveName
from backend.manifests.record import Borrowed
from backend.manifests.spans import refuse_overlaps

FORMS = {
    ".csv": FileForm.CSV,
    ".tsv": FileForm.TSV,
    ".jsonl": FileForm.JSON_LINES,
    ".json": FileForm.JSON,
    ".xml": FileForm.RSS,
}
"""The forms a file of products in a ZIP can have, by its name's end."""

_FIRST_NAMES = ("products", "catalog")
_SHOWN = 80  # characters of a hostile name worth repeating in a message
_DIRECTORY_BYTES_PER_ENTRY = 300  # 46 and the name, and what packers add; twice the usual
_ENTRY_SIGNATURE = b"PK\x01\x02"
_HIDDEN_FLAGS = 0x1 | 0x40 | 0x2000  # encrypted, strongly, with its directory (APPNOTE 4.4.4)
_UTF8_FLAG = 0x800
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others can ask for gigabytes to unpack

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


class Archive:
    """An open ZIP. Whatever its directory claims, no more than the limit is unpacked at once."""

    def __init__(self, source: IO[bytes], *, max_entries: int, max_picture_bytes: int, max_file_bytes: int) -> None:
        """Check the directory. Raises `InvalidArchive` or `UnsafeArchiveName`."""
        self._max_picture_bytes = max_picture_bytes
        self._max_file_bytes = max_file_bytes
        guarded = _Guarded(source, max_entries)
        try:
            self._zip = zipfile.ZipFile(guarded)
        except _DAMAGE as err:
            raise InvalidArchive(f"this is not a ZIP that can be read: {err}") from err
        guarded.opened = True
        try:
            _check(self._zip.infolist())
            refuse_overlaps(source, self._zip.infolist(), self._zip.start_dir)
            self._entries = {_name_of(info): info for info in self._zip.infolist()}
            self._manifest = _manifest_of(self._entries)
        except _DAMAGE as err:
            raise InvalidArchive(f"this is not a ZIP that can be read: {err}") from err
        self._folder = PurePosixPath(self._manifest).parent
        self.form = FORMS[PurePosixPath(self._manifest).suffix.lower()]

    def open_manifest(self) -> Borrowed:
        """The file of products, unpacked as it is read. Raises `InvalidArchive` where it is damaged."""
        try:
            return _Entry(self._zip.open(self._entries[self._manifest]), self._max_file_bytes)
        except _DAMAGE as err:
            raise InvalidArchive(f"{shown(self._manifest, _SHOWN)} cannot be read: {err}") from err

    def picture(self, name: str) -> bytes:
        """An entry's bytes. Raises `PictureMissing`, `ImageTooLarge` or `UnreadableImage`."""
        label = shown(name, _SHOWN)
        info = self._find(str(self._folder / name.replace("\\", "/")))
        if info is None:
            raise PictureMissing(f"no entry {label!r} in the ZIP", field="image")
        try:
            with self._zip.open(info) as entry:
                data = entry.read(self._max_picture_bytes + 1)
        except _DAMAGE as err:
            raise UnreadableImage(f"entry {label!r} is damaged: {err}", field="image") from err
        if len(data) > self._max_picture_bytes:
            raise ImageTooLarge(f"entry {label!r} has more than {self._max_picture_bytes} bytes", field="image")
        return data

    def close(self) -> None:
        """Let go of the source, which stays open."""
        self._zip.close()

    def _find(self, path: str) -> zipfile.ZipInfo | None:
        """By the name as it is, or as one system writes accents and the other: macOS takes letters and marks apart, and
        writes UTF-8 without the flag that says so, which `zipfile` then reads as code page 437 (APPNOTE, appendix D).
        """
        names = (path, unicodedata.normalize("NFC", path), unicodedata.normalize("NFD", path))
        for name in names:
            if info := self._entries.get(name):
                return info
        for name in names:
            info = self._entries.get(name.encode("utf-8", "replace").decode("cp437"))
            if info is not None and not info.flag_bits & _UTF8_FLAG:
                return info
        return None


class _Guarded:
    """Stands before the source while zipfile reads the directory, which it does in one piece and without a limit."""

    def __init__(self, source: IO[bytes], max_entries: int) -> None:
        self.opened = False
        self._source = source
        self._max_entries = max_entries
        self.seek, self.tell, self.seekable = source.seek, source.tell, source.seekable

    def read(self, size: int = -1) -> bytes:
        if self.opened:
            return self._source.read(size)
        limit = self._max_entries * _DIRECTORY_BYTES_PER_ENTRY + (1 << 17)  # the end record is looked for in 64 kB
        data = self._source.read(limit + 1 if size < 0 else min(size, limit + 1))
        if len(data) > limit or data.count(_ENTRY_SIGNATURE) > self._max_entries:
            raise InvalidArchive(f"more than {self._max_entries} entries, or names too long")
        return data


class _Entry(Borrowed):
    """The file of products inside the ZIP."""

    def __init__(self, source: IO[bytes], max_bytes: int) -> None:
        super().__init__(source)
        self._max_bytes = max_bytes
        self._read = 0

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # as in Borrowed
        try:
            size = super().readinto(buffer)
        except _DAMAGE as err:
            raise InvalidArchive(f"the file of products breaks off: {err}") from err
        self._read += size
        if self._read > self._max_bytes:
            raise InvalidArchive(f"the file of products unpacks to more than {self._max_bytes} bytes")
        return size


def _check(infos: list[zipfile.ZipInfo]) -> None:
    """A name is refused although nothing is unpacked here: an archive that tries is not a catalog."""
    names: set[str] = set()
    for info in infos:
        name = info.orig_filename
        label = shown(name, _SHOWN)
        parts = re.split(r"[/\\]", name)
        if name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name) or ".." in parts or "\x00" in name:
            raise UnsafeArchiveName(f"entry {label!r} would lie outside the archive")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise UnsafeArchiveName(f"entry {label!r} is a link")
        if info.flag_bits & _HIDDEN_FLAGS:
            raise InvalidArchive(f"entry {label!r} is encrypted")
        if info.compress_type not in _METHODS:
            raise InvalidArchive(f"entry {label!r} is packed by another method than deflate")
        if _name_of(info) in names:
            raise InvalidArchive(f"entry {label!r} is there twice")
        names.add(_name_of(info))


def _name_of(info: zipfile.ZipInfo) -> str:
    """An entry's name with the slashes the format asks for; some packers of Windows write others."""
    return info.filename.replace("\\", "/")


def _manifest_of(names: Iterable[str]) -> str:
    """The file of products: `products.*` at the top, else `catalog.*`, else the only one of a form that is read."""
    found = [name for name in names if PurePosixPath(name).suffix.lower() in FORMS and _is_seen(name)]
    for wanted in _FIRST_NAMES:
        first = [name for name in found if name.lower() in {wanted + end for end in FORMS}]
        if len(first) == 1:
            return first[0]
    if len(found) == 1:  # a folder zipped from outside has it one level down
        return found[0]
    raise InvalidArchive(f"the ZIP needs one products.csv (or {', '.join(FORMS)}) at its top; it has {len(found)} such")


def _is_seen(name: str) -> bool:
    """Not what macOS puts beside each file, nor anything hidden."""
    return not name.startswith("__MACOSX/") and not PurePosixPath(name).name.startswith(".") and not name.endswith("/")
