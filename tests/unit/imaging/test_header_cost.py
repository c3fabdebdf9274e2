"""Headers of small files that would cost Pillow seconds or a gigabyte are refused before Pillow sees them."""

import struct
import zlib
from collections.abc import Callable

import pytest

from backend import errors
from backend.imaging.inspect import inspect
from backend.imaging.limits import PictureLimits
from tests import pictures

LIMITS = PictureLimits()
JPEG, PNG = pictures.jpeg(64, 64), pictures.png(64, 64)
STRIPS = 50_000


def jpeg_of(segment: tuple[int, bytes], times: int, *, between: bytes = b"") -> bytes:
    marker, payload = segment
    one = struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload + between
    return JPEG[:2] + one * times + JPEG[2:]


def png_of(kind: bytes, content: bytes, times: int) -> bytes:
    return pictures.png_with(PNG, *[(kind, content)] * times)


def tiff_of(*fields: tuple[int, int, int, int]) -> bytes:
    """A TIFF of 64 x 64 grey pixels at 8 with these fields besides, or instead: tag, type, number and value."""
    plain = [(256, 4, 1, 64), (257, 4, 1, 64), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8)]
    plain += [(277, 3, 1, 1), (278, 3, 1, 64), (279, 4, 1, 4096)]
    named = {tag for tag, *_ in fields}
    directory = sorted([*fields, *(field for field in plain if field[0] not in named)], key=lambda field: field[0])
    body = bytes(4 * STRIPS)
    packed = b"".join(struct.pack("<HHII", *field) for field in directory)
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + body + struct.pack("<H", len(directory)) + packed + bytes(4)


def packed(size: int, *, damaged: bool = False) -> bytes:
    data = zlib.compress(bytes(size), 9)
    return data[:-1] + bytes([data[-1] ^ damaged])


EXIF = (0xE1, b"Exif\0\0" + bytes(4_000))
TABLES = (0xDB, (b"\0" + b"\1" * 64) * 1_000)
FRAME = (0xC0, b"\x08\0\x40\0\x40\3" + b"\1\x11\0" * 21_000)
PHOTOSHOP = (0xED, b"Photoshop 3.0\0" + b"8BIM\4\4\0\0\0\0\0\0" * 5_000)

COSTLY: dict[str, Callable[[], bytes]] = {
    "Exif in a thousand segments": lambda: jpeg_of(EXIF, 1_000),
    "the same with junk between them": lambda: jpeg_of(EXIF, 1_000, between=b"\0\0"),
    "the same with fill bytes between them": lambda: jpeg_of(EXIF, 1_000, between=b"\xff\xff"),
    "the same with restart markers between them": lambda: jpeg_of(EXIF, 1_000, between=b"\xff\xd0"),
    "the same with markers without a length between them": lambda: jpeg_of(EXIF, 1_000, between=b"\xff\xf0"),
    "the same with empty segments between them": lambda: jpeg_of(EXIF, 1_000, between=b"\xff\xfe\0\0"),
    "megabytes of quantization tables": lambda: jpeg_of(TABLES, 60),
    "frames of thousands of components": lambda: jpeg_of(FRAME, 60),
    "Photoshop blocks of thousands of resources": lambda: jpeg_of(PHOTOSHOP, 60),
    "profiles that unpack to a megabyte each": lambda: png_of(b"iCCP", b"x\0\0" + packed(1_000_000), 100),
    "texts that unpack to a megabyte each and are damaged": lambda: png_of(
        b"zTXt", b"x\0\0" + packed(1_000_000, damaged=True), 100
    ),
    "the same as international texts": lambda: png_of(
        b"iTXt", b"x\0\1\0\0\0" + packed(1_000_000, damaged=True), 100
    ),
    "strips twice, first in a type nobody knows": lambda: tiff_of((273, 99, 1, 8), (273, 4, STRIPS, 8)),
    "strips listed as bytes": lambda: tiff_of((273, 1, STRIPS, 8), (279, 1, STRIPS, 8)),
    "tiles listed as bytes": lambda: tiff_of((324, 7, STRIPS, 8)),
}  # fmt: skip


@pytest.mark.parametrize("make", COSTLY.values(), ids=COSTLY)
def test_a_header_that_costs_more_than_a_picture_is_worth_is_refused(make: Callable[[], bytes]) -> None:
    with pytest.raises(errors.UnreadableImage) as refused:
        inspect(make(), LIMITS)
    assert refused.value.code == "image_undecodable"
    assert refused.value.__cause__ is None, "Pillow has read it"


HONEST: dict[str, Callable[[], bytes]] = {
    "Exif and a press profile in many segments": lambda: jpeg_of(
        (0xE2, b"ICC_PROFILE\0\1\1" + bytes(65_000)), 60
    ).replace(b"\xff\xe2", b"\xff\xe1\0\x0cExif\0\0II*\0\xff\xe2", 1),
    "megabytes of XMP": lambda: jpeg_of((0xE1, b"http://ns.adobe.com/xmp/extension/\0" + bytes(60_000)), 150),
    "a profile twice": lambda: png_of(b"iCCP", b"x\0\0" + packed(3_000), 2),
    "plain texts by the hundred": lambda: png_of(b"tEXt", b"Comment\0" + b"words " * 50, 300),
    "a field twice in a TIFF": lambda: tiff_of((262, 3, 1, 1), (262, 3, 1, 0)),
    "a long private field of bytes in a TIFF": lambda: tiff_of((50_341, 7, 4 * STRIPS, 8)),
}  # fmt: skip


@pytest.mark.parametrize("make", HONEST.values(), ids=HONEST)
def test_what_honest_writers_put_into_headers_is_admitted(make: Callable[[], bytes]) -> None:
    assert inspect(make(), LIMITS).width == 64


def test_a_tiles_side_counts_in_whatever_type_it_is_written() -> None:
    side = struct.pack(">Q", 0x10000)
    fields = [(256, 4, 1, 64), (257, 4, 1, 64), (322, 16, 1, 8), (323, 16, 1, 8)]
    directory = struct.pack(">H", len(fields)) + b"".join(struct.pack(">HHII", *field) for field in fields) + bytes(4)
    with pytest.raises(errors.TooManyPixels):
        inspect(b"MM\0*" + struct.pack(">I", 16) + side + directory, LIMITS)
