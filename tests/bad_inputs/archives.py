"""ZIPs that are none, that would write elsewhere, that unpack to more than they hold."""

import struct
import zipfile
from collections.abc import Callable
from io import BytesIO

import httpx

from tests.bad_inputs.case import IMPORTS, ZIP, Case, archive, import_of, raw, zip_of

MANIFEST = b"product_id,image\nbad-1,a.jpg\n"


def overlapping_zip(copies: int = 50, size: int = 1_000_000) -> bytes:
    """One megabyte of zeros that 50 entries of the directory point to (David Fifield, "A better zip bomb", 2019)."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("products.csv", MANIFEST)
        target.writestr("a.jpg", bytes(size))
        kernel = target.getinfo("a.jpg")
        for number in range(copies):
            twin = zipfile.ZipInfo(f"{number}.jpg")
            for name in ("header_offset", "compress_size", "file_size", "CRC", "compress_type"):
                setattr(twin, name, getattr(kernel, name))
            target.filelist.append(twin)
    return buffer.getvalue()


def link_zip() -> bytes:
    """An entry that would be a symbolic link to /etc/passwd."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        target.writestr("products.csv", MANIFEST)
        link = zipfile.ZipInfo("a.jpg")
        link.create_system = 3  # Unix (APPNOTE 4.4.2): the upper half of the attributes is a mode
        link.external_attr = 0o120777 << 16
        target.writestr(link, "/etc/passwd")
    return buffer.getvalue()


def marked_zip(*, flags: int = 0, method: int = 0) -> bytes:
    """A ZIP whose directory says of every entry that it is encrypted, or packed in some way."""
    data = bytearray(zip_of({"products.csv": MANIFEST, "a.jpg": b"x"}))
    at = data.find(b"PK\x01\x02")
    while at >= 0:
        struct.pack_into("<HH", data, at + 8, flags, method)
        at = data.find(b"PK\x01\x02", at + 4)
    return bytes(data)


def _bomb(name: str) -> bytes:
    """100 MB of zeros in 100 kB."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("products.csv", MANIFEST if name != "products.csv" else bytes(100_000_000))
        if name != "products.csv":
            target.writestr(name, bytes(100_000_000))
    return buffer.getvalue()


def _many_entries() -> bytes:
    """A directory that says it has 300,000 entries, in an end record alone."""
    return zip_of({"products.csv": MANIFEST}) + b"PK\x01\x02" * 300_000


def _named(name: str) -> Callable[[], httpx.Request]:
    return lambda: archive({"products.csv": MANIFEST, name: b"x"})


ZIPS = [
    Case("a ZIP that is none", import_of(b"PK nope", ZIP), 422, "invalid_archive"),
    Case("a ZIP without a manifest", lambda: archive({"a.jpg": b"x"}), 422, "invalid_archive"),
    Case("a ZIP of nothing", lambda: archive({}), 422, "invalid_archive"),
    Case(
        "half a ZIP", lambda: raw("POST", IMPORTS, zip_of({"products.csv": MANIFEST})[:60], ZIP), 422, "invalid_archive"
    ),
    Case("a ZIP with a climbing name", _named("../evil.jpg"), 422, "archive_unsafe_name"),
    Case("a ZIP with a name that climbs on Windows", _named("..\\evil.jpg"), 422, "archive_unsafe_name"),
    Case("a ZIP with a name that climbs below", _named("a/../../evil.jpg"), 422, "archive_unsafe_name"),
    Case("a ZIP with an absolute name", _named("/etc/passwd"), 422, "archive_unsafe_name"),
    Case("a ZIP with a drive's name", _named("C:evil.jpg"), 422, "archive_unsafe_name"),
    Case("a ZIP with a symbolic link", lambda: raw("POST", IMPORTS, link_zip(), ZIP), 422, "archive_unsafe_name"),
    Case("an encrypted ZIP", lambda: raw("POST", IMPORTS, marked_zip(flags=1), ZIP), 422, "invalid_archive"),
    Case("a ZIP packed by LZMA", lambda: raw("POST", IMPORTS, marked_zip(method=14), ZIP), 422, "invalid_archive"),
    Case(
        "a ZIP bomb of overlapping entries",
        lambda: raw("POST", IMPORTS, overlapping_zip(), ZIP),
        422,
        "invalid_archive",
    ),
    Case(
        "a ZIP that claims 300,000 entries", lambda: raw("POST", IMPORTS, _many_entries(), ZIP), 422, "invalid_archive"
    ),
    Case("a ZIP with two manifests", lambda: archive({"a.csv": MANIFEST, "b.csv": MANIFEST}), 422, "invalid_archive"),
    Case(
        "a ZIP whose manifest unpacks to 100 MB of zeros",
        lambda: raw("POST", IMPORTS, _bomb("products.csv"), ZIP),
        422,
        "csv_invalid",
        "header",
    ),
    Case(
        "a ZIP whose CSV lacks its columns",
        lambda: archive({"products.csv": b"title\nA\n"}),
        422,
        "csv_missing_column",
        "product_id",
    ),
    Case("a ZIP with an empty CSV", lambda: archive({"products.csv": b""}), 422, "csv_invalid"),
    Case(
        "a picture that unpacks to 100 MB",
        lambda: raw("POST", IMPORTS, _bomb("a.jpg"), ZIP),
        202,
        "image_too_large",
        "images[0]",
        "row",
    ),
    Case(
        "a picture that is not in the ZIP",
        lambda: archive({"products.csv": MANIFEST}),
        202,
        "picture_missing",
        "images[0]",
        "row",
    ),
    Case(
        "a picture in the ZIP that is text",
        lambda: archive({"products.csv": MANIFEST, "a.jpg": b"hello, a text"}),
        202,
        "image_unsupported_type",
        "images[0]",
        "row",
    ),
    Case(
        "a picture named outside the ZIP",
        lambda: archive({"products.csv": b"product_id,image\nbad-1,../../etc/passwd\n"}),
        202,
        "picture_missing",
        "images[0]",
        "row",
    ),
]
