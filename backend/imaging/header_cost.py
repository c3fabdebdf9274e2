"""What Pillow would spend on a header, told from its structure alone, before Pillow sees it.

Pillow bounds each part of a header, mostly, but not all of them together: files of 5 to 20 MB made of parts that are
each admissible held a thread for 2 to 12 s, one of them with 600 MB. So the walks here step exactly as Pillow does,
over junk too: what another reader would stop at must not hide what comes behind it.
"""

import contextlib
import struct
from collections.abc import Callable
from typing import Final

from backend import errors
from backend.imaging.limits import PictureLimits
from backend.imaging.tiff_directory import TiffDirectory

_MOST_TAKEN_APART: Final = 64
_MOST_BYTES_TAKEN_APART: Final = 1_000_000
"""Segments of a JPEG that Pillow does more with than keep them, and their bytes. Honest files have one of Exif (64 kB
at most), a Photoshop block of some ten kB, four tables and a frame. At 1 MB the dearest, frames, take 0.1 s."""

_MOST_PACKED: Final = 32
"""Compressed chunks before a PNG's pixels. Each unpacks to 1 MB at most, in 2 ms, and is not counted by Pillow when it
then proves damaged. Honest files have a profile and a few texts."""

_SCAN, _EXTENSION, _TABLES, _PHOTOSHOP, _APP1 = 0xDA, 0xC8, 0xDB, 0xED, 0xE1
_FRAMES: Final = {*range(0xC0, 0xD0), 0xDE} - {0xC4, _EXTENSION, 0xCC}
_WITHOUT_LENGTH: Final = {_EXTENSION, *range(0xD0, 0xDA), *range(0xF0, 0xFE)}
_PACKED: Final = {b"iCCP", b"zTXt", b"iTXt"}


def check_cost(picture_format: str, data: bytes, limits: PictureLimits) -> None:
    """Raises `errors.UnreadableImage` or `errors.TooManyPixels` where opening costs more than a picture is worth."""
    check = _CHECKS.get(picture_format)
    if check is not None:
        with contextlib.suppress(IndexError, struct.error):  # the file ends in its header: not this module's question
            check(data, limits)


def _jpeg(data: bytes, limits: PictureLimits) -> None:
    at = segments = size = 0
    for _ in range(limits.max_header_reads):  # a step is a read of Pillow's at least: at so many it gives up too
        at = data.find(b"\xff", at)
        marker = data[at + 1] if at >= 0 else _SCAN
        if marker == _SCAN:
            return
        if marker in {0x00, 0xFF} | _WITHOUT_LENGTH:
            at += 1 if marker == 0xFF else 2  # noqa: PLR2004 -- a fill byte, which may begin the next marker
            continue
        length = max(2, int(struct.unpack_from(">H", data, at + 2)[0]))
        if _is_taken_apart(marker, data[at + 4 : at + 10]):
            segments, size = segments + 1, size + length
        if segments > _MOST_TAKEN_APART or size > _MOST_BYTES_TAKEN_APART:
            raise errors.UnreadableImage("The header of the JPEG has more metadata and tables than any picture needs.")
        at += 2 + length


def _is_taken_apart(marker: int, start: bytes) -> bool:
    return marker in _FRAMES or marker in {_TABLES, _PHOTOSHOP} or (marker == _APP1 and start == b"Exif\0\0")


def _png(data: bytes, limits: PictureLimits) -> None:
    at, packed = 8, 0
    for _ in range(limits.max_header_reads):
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"IDAT":
            return
        packed += kind in _PACKED
        if packed > _MOST_PACKED:
            raise errors.UnreadableImage(f"The PNG has over {_MOST_PACKED} compressed profiles and texts.")
        at += 12 + length


def _tiff(data: bytes, limits: PictureLimits) -> None:
    TiffDirectory(data).check(limits.max_header_reads, limits.max_pixels)


_CHECKS: Final[dict[str, Callable[[bytes, PictureLimits], None]]] = {"JPEG": _jpeg, "PNG": _png, "TIFF": _tiff}
