"""Whether a file ends before its picture does, told from its structure alone.

So that a cut-off upload is refused at once, while the sender still listens, instead of later by a worker; and because
Pillow's messages do not tell a cut WebP or AVIF from a damaged one. Careful in one direction: True only where the end
is certainly missing. What slips through is caught when the pixels are decoded.
"""

import struct
from collections.abc import Callable
from typing import Final

from backend.imaging.tiff_directory import TiffDirectory

_MOST_STEPS: Final = 100_000
"""Segments, chunks or blocks walked before giving up (False). A GIF of 20 MB has 80,000 blocks: about 10 ms."""

_SCAN, _LONE_MARKERS = 0xDA, {0x01, *range(0xD0, 0xDA)}
_ISO_BOXES: Final = {b"ftyp", b"meta", b"moov", b"mdat"}
_BMP_UNPACKED: Final = {0, 3, 6}  # BI_RGB, BI_BITFIELDS, BI_ALPHABITFIELDS: rows of known length


def is_cut_off(picture_format: str, data: bytes) -> bool:
    """True where the bytes of this format certainly end too early."""
    try:
        return _ENDINGS[picture_format](data)
    except (IndexError, struct.error):  # the walk itself ran off the end
        return True


def _jpeg(data: bytes) -> bool:
    """Walk the segments to the first scan; after it an end-of-image marker has to come (ITU-T T.81, annex B).

    Inside a scan 0xFF is always followed by 0x00 or a restart marker, so the marker cannot be there by chance.
    """
    at = 2
    for _ in range(_MOST_STEPS):
        if data[at] != 0xFF:  # noqa: PLR2004 -- every marker starts with 0xFF (T.81, B.1.1.2)
            return False  # padding or damage: Pillow decides
        marker = data[at + 1]
        if marker == _SCAN:
            return data.rfind(b"\xff\xd9", at) < 0
        if marker == 0xFF:  # noqa: PLR2004 -- a fill byte
            at += 1
        elif marker in _LONE_MARKERS:
            at += 2
        else:
            at += 2 + int(struct.unpack_from(">H", data, at + 2)[0])
    return False


def _png(data: bytes) -> bool:
    """The image data has to be there in full (PNG third edition, 5.3); a missing IEND alone loses no pixel."""
    at, seen = 8, False
    for _ in range(_MOST_STEPS):
        if seen and at + 8 > len(data):
            return False
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"IDAT":
            seen = True
            if at + 8 + length > len(data):
                return True
        elif kind == b"IEND" or seen:
            return False
        at += 12 + length
    return False


def _gif(data: bytes) -> bool:
    """Walk the blocks to the first picture and through its data (GIF89a, sections 18 to 22)."""
    at = 13 + _palette_bytes(data[10])
    for _ in range(_MOST_STEPS):
        introducer = data[at]
        if introducer == 0x2C:  # noqa: PLR2004 -- image descriptor (section 20)
            return _after_blocks(data, at + 11 + _palette_bytes(data[at + 9])) > len(data)
        if introducer != 0x21:  # noqa: PLR2004 -- not an extension (section 23) either: damage, Pillow decides
            return False
        at = _after_blocks(data, at + 2)
    return False


def _palette_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _after_blocks(data: bytes, at: int) -> int:
    """The place after a chain of sub-blocks and its terminator: beyond the data's end where a block is cut."""
    for _ in range(_MOST_STEPS):
        if at >= len(data):
            return at  # a block is cut, or only the terminator is missing: no pixel of that
        if not data[at]:
            return at + 1
        at += 1 + data[at]
    return at


def _webp(data: bytes) -> bool:
    """The RIFF header says how long the file is (RFC 9649, section 2.4)."""
    return 8 + int(struct.unpack_from("<I", data, 4)[0]) > len(data)


def _iso_media(data: bytes) -> bool:
    """Every top-level box says how long it is; 0 means to the end of the file (ISO/IEC 14496-12, 4.2)."""
    at = 0
    for _ in range(_MOST_STEPS):
        if at == len(data):
            return False
        size, kind = struct.unpack_from(">I4s", data, at)
        if kind not in _ISO_BOXES or size == 0:
            return False  # the last box, or something behind the picture
        if size == 1:
            size = int(struct.unpack_from(">Q", data, at + 8)[0])
        at += max(size, 8)
        if at > len(data):
            return True
    return False


def _bmp(data: bytes) -> bool:
    """Unpacked rows have a known length, padded to 4 bytes. The header's own file size is often wrong."""
    start, header = struct.unpack_from("<II", data, 10)
    if header < 40:  # noqa: PLR2004 -- the OS/2 header, from before compression: Pillow decides
        return False
    width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    row = (width * bits + 31) // 32 * 4
    return compression in _BMP_UNPACKED and int(start + row * abs(height)) > len(data)


def _tiff(data: bytes) -> bool:
    return TiffDirectory(data).end_of_pixels() > len(data)


_ENDINGS: Final[dict[str, Callable[[bytes], bool]]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "GIF": _gif,
    "WEBP": _webp,
    "AVIF": _iso_media,
    "HEIF": _iso_media,
    "BMP": _bmp,
    "TIFF": _tiff,
}
