"""Which format the bytes are, by their first bytes alone. The file's name and its declared type are never asked.

Deciding here, before Pillow is called, keeps every other decoder of Pillow out of reach: bytes that begin like
PostScript would otherwise start Ghostscript, whatever the file is called.
"""

from typing import Final

SIGNATURE_BYTES: Final = 12
"""As many bytes as the longest signature below looks at."""

_PREFIXES: Final = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    # Classic TIFF only: BigTIFF exists for files above 4 GB, which no product picture is.
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
)

_FOREIGN: Final = (
    (b"%!PS", "PostScript"),
    (b"\xc5\xd0\xd3\xc6", "PostScript"),
    (b"%PDF", "PDF"),
    (b"8BPS", "Photoshop"),
    (b"\x00\x00\x01\x00", "ICO"),
    (b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (b"II+\x00", "BigTIFF"),
    (b"MM\x00+", "BigTIFF"),
    (b"PK\x03\x04", "ZIP"),
)

_HEIC_BRANDS: Final = {b"heic", b"heix", b"heim", b"heis"}
"""Still pictures coded as HEVC (ISO/IEC 23008-12, annex B)."""

_MOST_BRANDS: Final = 64
"""An ISO file lists a handful of compatible brands; looking at more would let a header buy time."""


def format_of(data: bytes) -> str | None:
    """The admitted format these bytes begin like (by Pillow's name for it), or None."""
    for prefix, name in _PREFIXES:
        if data.startswith(prefix):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    # HEIC and AVIF share the container, often the brand mif1 too; only the list tells them apart (ISO/IEC 23000-22).
    brands = _brands(data)
    if brands & {b"avif", b"avis"}:
        return "AVIF"
    return "HEIF" if brands & _HEIC_BRANDS else None


def foreign_name(data: bytes) -> str | None:
    """What bytes of no admitted format look like, to tell the merchant; None where nothing is recognised."""
    for prefix, name in _FOREIGN:
        if data.startswith(prefix):
            return name
    if _brands(data):
        return "a HEIF variant or a video"
    # Searched for as text, never parsed: an XML parser would follow entities.
    start = data[:1024].lstrip().lower()
    if b"<svg" in start:
        return "SVG"
    return "text or HTML" if start.startswith(b"<") else None


def _brands(data: bytes) -> set[bytes]:
    """The major and compatible brands of an ISO base media file (ISO/IEC 14496-12, ftyp box); empty for others."""
    if data[4:8] != b"ftyp":
        return set()
    box = data[8 : min(int.from_bytes(data[:4], "big"), 16 + 4 * _MOST_BRANDS)]
    return {box[:4]} | {box[at : at + 4] for at in range(8, len(box), 4)}
