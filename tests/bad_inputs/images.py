"""Pictures that cannot be used: as an upload, as a query, as base64."""

import struct
import zlib
from collections.abc import Callable

from tests import pictures
from tests.bad_inputs.case import PRODUCT, Case, base64_of, put, put_images, raw, search, search_by


def sixteen_bit_bomb(side: int = 9_000) -> bytes:
    """81 megapixels of 48 bits, half a gigabyte decoded, from a header and a few bytes."""
    header = struct.pack(">IIBBBBB", side, side, 16, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1_000))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(pictures.chunk(*part) for part in parts)


def profile_bomb() -> bytes:
    """A hundred colour profiles, each a megabyte of zeros in a kilobyte."""
    return pictures.png_with(pictures.png(), *[(b"iCCP", b"x\0\0" + zlib.compress(bytes(1_000_000)))] * 100)


def _bad_picture(data: Callable[[], bytes], status: int, code: str, name: str) -> list[Case]:
    """The same picture as an upload and as a query."""
    return [
        Case(f"upload of {name}", lambda: put({}, data()), status, code, "images[0]"),
        Case(f"search by {name}", lambda: search_by(data()), status, code),
    ]


PICTURES = [
    *_bad_picture(lambda: b"", 422, "image_empty", "zero bytes"),
    *_bad_picture(lambda: b"hello, this is text", 415, "image_unsupported_type", "text"),
    *_bad_picture(pictures.eps_bytes, 415, "image_unsupported_type", "EPS named .jpg"),
    *_bad_picture(pictures.svg_bytes, 415, "image_unsupported_type", "SVG"),
    *_bad_picture(pictures.bomb_png, 422, "image_too_many_pixels", "a small PNG of 100 megapixels"),
    *_bad_picture(pictures.strip_png, 422, "image_aspect_ratio", "a strip of 30000 x 1"),
    *_bad_picture(lambda: pictures.png(8, 8), 422, "image_too_small", "8 x 8 pixels"),
    *_bad_picture(lambda: pictures.jpeg() + bytes(20_000_001), 413, "image_too_large", "20 MB"),
    *_bad_picture(pictures.truncated_jpeg, 422, "image_truncated", "a truncated JPEG"),
    *_bad_picture(lambda: b"\xff", 422, "image_undecodable", "one byte"),
    *_bad_picture(pictures.html_bytes, 415, "image_unsupported_type", "HTML"),
    *_bad_picture(pictures.pdf_bytes, 415, "image_unsupported_type", "PDF"),
    *_bad_picture(lambda: b"\0\0\0\x18ftypisom" + bytes(64), 415, "image_unsupported_type", "a video"),
    *_bad_picture(lambda: b"8BPS\0\1" + bytes(64), 415, "image_unsupported_type", "Photoshop"),
    *_bad_picture(lambda: b"PK\3\4" + bytes(64), 415, "image_unsupported_type", "a ZIP"),
    *_bad_picture(lambda: pictures.bomb_png(20_000), 422, "image_too_many_pixels", "a PNG of 400 megapixels in 50 kB"),
    *_bad_picture(sixteen_bit_bomb, 422, "image_too_many_pixels", "a PNG of 16 bits and 81 megapixels"),
    *_bad_picture(lambda: pictures.strip_png(1_000, 20), 422, "image_aspect_ratio", "a strip of 1,000 x 20"),
    *_bad_picture(lambda: pictures.png(1, 1), 422, "image_too_small", "1 x 1 pixel"),
    *_bad_picture(lambda: pictures.truncated(pictures.png()), 422, "image_truncated", "a truncated PNG"),
    *_bad_picture(
        lambda: pictures.truncated(pictures.one_of_each()["webp"]), 422, "image_truncated", "a truncated WebP"
    ),
    *_bad_picture(lambda: pictures.truncated(pictures.one_of_each()["gif"]), 422, "image_truncated", "a truncated GIF"),
    *_bad_picture(
        lambda: b"\xff\xd8\xff" + bytes(500), 422, "image_undecodable", "zeros behind the first bytes of a JPEG"
    ),
    *_bad_picture(pictures.many_chunks_png, 422, "image_undecodable", "a PNG of 10,000 chunks"),
    *_bad_picture(pictures.tiff_of_many_strips, 422, "image_undecodable", "a TIFF of half a million strips"),
    *_bad_picture(profile_bomb, 422, "image_undecodable", "a PNG of 100 profiles of a megabyte each"),
    Case(
        "17 pictures", lambda: put({}, *[pictures.jpeg(seed=n) for n in range(17)]), 400, "too_many_pictures", "images"
    ),
    Case(
        "a picture that is not base64",
        lambda: raw("PUT", PRODUCT, '{"images": [{"data": "%%%"}]}'),
        400,
        "invalid_base64",
        "images[0].data",
    ),
    Case(
        "a picture of base64 without padding",
        lambda: put_images({"data": "YWE"}),
        400,
        "invalid_base64",
        "images[0].data",
    ),
    Case(
        "a picture as a data: URI of text",
        lambda: put_images({"data": "data:text/plain;base64," + base64_of(b"this is a text")}),
        415,
        "image_unsupported_type",
        "images[0]",
    ),
    Case("a picture id that nobody has", lambda: put_images({"image_id": "f" * 64}), 404, "image_not_found"),
    Case("a picture id that climbs out", lambda: put_images({"image_id": "../../etc/passwd"}), 404, "image_not_found"),
    Case("a picture that is null", lambda: put_images(None), 400, "invalid_field", "images.0"),
    Case("a picture that is a number", lambda: put_images(5), 400, "invalid_field", "images.0"),
    Case("a picture that is empty", lambda: put_images({}), 400, "invalid_field", "images[0]"),
    Case("a query that is not base64", lambda: search({"image": {"data": "a"}}), 400, "invalid_base64", "image.data"),
    Case(
        "base64 of no picture",
        lambda: search({"image": {"data": base64_of(b"this is a text and no picture")}}),
        415,
        "image_unsupported_type",
    ),
    Case(
        "a picture given in two ways",
        lambda: raw("PUT", PRODUCT, '{"images": [{"data": "aaaa", "image_id": "b"}]}'),
        400,
        "invalid_field",
        "images[0]",
    ),
]
