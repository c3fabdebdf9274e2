"""Good and bad pictures, made in memory, for everybody's tests. Deterministic: the same call gives the same bytes."""

import io
import struct
import zlib
from collections.abc import Iterable
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

ORIENTATION = 0x0112
ADOBE_RGB_COLORANTS = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
"""Red, green and blue of Adobe RGB (1998) as XYZ adapted to D50."""

SRGB_COLORANTS = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))


# --- good ones --------------------------------------------------------------------------------------------------------


def photo(width: int = 320, height: int = 240, seed: int = 0) -> Image.Image:
    """An RGB picture with smooth areas, edges and a little texture, and no symmetry at all."""
    rng = np.random.default_rng(seed)
    x, y = np.linspace(0, 1, width)[None, :], np.linspace(0, 1, height)[:, None]
    hue = rng.uniform(0.3, 1.0, (3, 2))
    ramps = [255 * np.clip(a * x + b * y, 0, 1) ** 1.2 for a, b in hue]
    picture = Image.fromarray(np.stack(ramps, axis=2).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    for _ in range(12):
        left, top = rng.uniform(0, 0.8, 2) * (width, height)
        right, bottom = (left, top) + rng.uniform(0.05, 0.4, 2) * (width, height)
        draw.ellipse((left, top, right, bottom), fill=tuple(int(value) for value in rng.integers(0, 256, 3)))
    draw.rectangle((0, 0, width // 5, height // 5), fill="black")
    noise = rng.normal(0, 4, (height, width, 1))
    return Image.fromarray(np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8))


def encode(picture: Image.Image, picture_format: str, **options: object) -> bytes:
    """The bytes of a picture in one of Pillow's formats."""
    file = io.BytesIO()
    picture.save(file, picture_format, **options)
    return file.getvalue()


def jpeg(width: int = 320, height: int = 240, seed: int = 0, **options: object) -> bytes:
    return encode(photo(width, height, seed), "JPEG", **{"quality": 90, **options})


def png(width: int = 320, height: int = 240, seed: int = 0, **options: object) -> bytes:
    return encode(photo(width, height, seed), "PNG", **options)


@cache
def one_of_each() -> dict[str, bytes]:
    """A good file of every admitted format and of the variants that are decoded differently, by name."""
    picture = photo(120, 90)
    translucent = picture.copy()
    translucent.putalpha(picture.convert("L"))
    small = photo(60, 45)
    return {
        "jpeg": encode(picture, "JPEG"),
        "jpeg progressive": encode(picture, "JPEG", progressive=True),
        "jpeg grey": encode(picture.convert("L"), "JPEG"),
        "jpeg cmyk": encode(picture.convert("CMYK"), "JPEG"),
        "jpeg mpo": mpo(120, 90),
        "png": encode(picture, "PNG"),
        "png palette": encode(picture.quantize(64), "PNG"),
        "png alpha": encode(translucent, "PNG"),
        "png 16 bits": sixteen_bit_png(picture.convert("L")),
        "png animated": encode(small, "PNG", save_all=True, append_images=[photo(60, 45, 1)]),
        "webp": encode(picture, "WEBP"),
        "webp lossless alpha": encode(translucent, "WEBP", lossless=True),
        "webp animated": encode(small, "WEBP", save_all=True, append_images=[photo(60, 45, 1)]),
        "gif": encode(picture, "GIF"),
        "gif animated": animated_gif([small, photo(60, 45, 1)]),
        "bmp": encode(picture, "BMP"),
        "bmp palette": encode(picture.quantize(16), "BMP"),
        "tiff": encode(picture, "TIFF"),
        "tiff lzw": encode(picture, "TIFF", compression="tiff_lzw"),
        "tiff jpeg": encode(picture, "TIFF", compression="jpeg"),
        "tiff bilevel": encode(picture.convert("1"), "TIFF", compression="group4"),
        "avif": encode(picture, "AVIF", speed=10),
        "avif alpha": encode(small.convert("RGBA"), "AVIF", speed=10),
    }


def cmyk_jpeg(ink: tuple[int, int, int, int], side: int = 64) -> bytes:
    """A CMYK JPEG of one colour, in Adobe's inverted form."""
    return encode(Image.new("CMYK", (side, side), ink), "JPEG", quality=95)


def ycck_jpeg(ink: tuple[int, int, int, int], side: int = 64) -> bytes:
    """The same stored as YCCK, which Pillow cannot write: the bands are made here, then the Adobe marker is changed.

    Libjpeg turns Y, Cb, Cr into 255 - R, G, B; Adobe's inks are stored inverted; so R, G, B stand for C, M, Y.
    """
    bands = Image.new("RGB", (side, side), ink[:3]).convert("YCbCr").split()
    stored = (*bands, Image.new("L", (side, side), 255 - ink[3]))
    inverted = Image.merge("CMYK", [Image.eval(band, lambda value: 255 - value) for band in stored])  # Pillow inverts
    data = bytearray(encode(inverted, "JPEG", quality=95, subsampling=0))
    data[data.index(b"Adobe") + 11] = 2
    return bytes(data)


def sixteen_bit_png(grey: Image.Image) -> bytes:
    """The 16-bit twin of an 8-bit grey picture: every value times 257."""
    values = np.asarray(grey.convert("L")).astype(np.uint16) * 257
    return raw_png(values, bits=16, colour_type=0)


def sixteen_bit_rgb_png(picture: Image.Image) -> bytes:
    return raw_png(np.asarray(picture.convert("RGB")).astype(np.uint16) * 257, bits=16, colour_type=2)


def transparent_png(hidden: tuple[int, int, int] = (255, 0, 255), side: int = 64) -> bytes:
    """A green left half; the right half transparent, with a colour hidden under it."""
    picture = Image.new("RGBA", (side, side), (*hidden, 0))
    picture.paste((0, 128, 0, 255), (0, 0, side // 2, side))
    return encode(picture, "PNG")


def animated_gif(frames: Iterable[Image.Image]) -> bytes:
    first, *others = (frame.quantize(64) for frame in frames)
    return encode(first, "GIF", save_all=True, append_images=others, duration=40, loop=0)


def exif_rotated_jpeg(orientation: int, width: int = 320, height: int = 240) -> bytes:
    """`photo(width, height)` stored turned or mirrored, with the EXIF tag that says how to undo it."""
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # how to store: the inverse of what the tag asks of the viewer
    upright = photo(width, height)
    stored = upright.transpose(Image.Transpose(undo[orientation])) if orientation > 1 else upright
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return encode(stored, "JPEG", quality=95, subsampling=0, exif=exif)


def mpo(width: int = 320, height: int = 240) -> bytes:
    """What many phones store under .jpg: a JPEG with a second picture behind it."""
    return encode(photo(width, height), "MPO", save_all=True, append_images=[photo(width // 4, height // 4, 1)])


def rgb_profile(colorants: tuple[tuple[float, float, float], ...], gamma: float, description: str = "test") -> bytes:
    """A minimal ICC v2 matrix profile (ICC.1:2001-04): three colorants and one gamma."""
    name = description.encode() + b"\0"
    curve = b"curv" + struct.pack(">IIHxx", 0, 1, round(gamma * 256))
    tags = {
        b"desc": b"desc" + struct.pack(">II", 0, len(name)) + name + bytes(78),
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": _xyz((0.9642, 1.0, 0.8249)),
        **{tag: _xyz(values) for tag, values in zip((b"rXYZ", b"gXYZ", b"bXYZ"), colorants, strict=True)},
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve),
    }
    return _profile(b"mntr", b"RGB ", b"XYZ ", tags)


def cmyk_profile() -> bytes:
    """A minimal ICC v2 profile of a press whose cyan ink prints red: a table of the 16 solid overprints (lut8Type)."""
    paper, red, dark = (255, 128, 128), (135, 208, 195), (40, 128, 128)  # Lab of 8 bits (ICC.1:2001-04, annex A)
    solids = [(red if cyan and not (magenta or yellow or black) else dark) if cyan or magenta or yellow or black
              else paper for cyan in (0, 1) for magenta in (0, 1) for yellow in (0, 1) for black in (0, 1)]  # fmt: skip
    ramp = bytes(range(256))
    identity = struct.pack(">9i", *(65536 if at % 4 == 0 else 0 for at in range(9)))
    table = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + identity + ramp * 4
    table += b"".join(bytes(solid) for solid in solids) + ramp * 3
    name = b"test press\0"
    return _profile(
        b"prtr",
        b"CMYK",
        b"Lab ",
        {
            b"desc": b"desc" + struct.pack(">II", 0, len(name)) + name + bytes(78),
            b"cprt": b"text\0\0\0\0none\0",
            b"wtpt": _xyz((0.9642, 1.0, 0.8249)),
            b"A2B0": table,
        },
    )


def _xyz(values: Iterable[float]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def _profile(kind: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    """An ICC profile of these tags (ICC.1:2001-04, 6.1 and 6.2)."""
    directory, body, start = b"", b"", 128 + 4 + 12 * len(tags)
    for tag, content in tags.items():
        directory += struct.pack(">4sII", tag, start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    head = struct.pack(">I4sI4s4s4s", start + len(body), b"none", 0x02100000, kind, space, connection)
    head += struct.pack(">6H4s", 2024, 1, 1, 0, 0, 0, b"acsp") + bytes(28) + struct.pack(">iii", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + directory + body


# --- bad ones ---------------------------------------------------------------------------------------------------------


def truncated(data: bytes, share: float = 0.5) -> bytes:
    """The first part of a file, as a broken upload leaves it."""
    return data[: max(1, int(len(data) * share))]


def truncated_jpeg() -> bytes:
    return truncated(jpeg())


def bomb_png(side: int = 10_000) -> bytes:
    """100 megapixels of 1 bit in 12 kB, made row by row: never more than a few kB in memory."""
    packer = zlib.compressobj(9)
    row = bytes(1 + (side + 7) // 8)
    body = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    return _png_file(side, side, 1, 0, body)


def strip_png(length: int = 30_000, thickness: int = 1) -> bytes:
    """A strip with few pixels, which an encoder that scales the short side would blow up to gigabytes."""
    return raw_png(np.full((thickness, length), 128, np.uint8), bits=8, colour_type=0)


def text_bomb_png(megabytes: int = 80) -> bytes:
    """A small picture with a compressed text chunk that unpacks to 80 MB."""
    packer = zlib.compressobj(9)
    block = bytes(1 << 20)
    text = b"".join(packer.compress(block) for _ in range(megabytes)) + packer.flush()
    return png_with(png(32, 32), (b"zTXt", b"Comment\0\0" + text))


def many_chunks_png(count: int = 10_000) -> bytes:
    return png_with(png(32, 32), *[(b"prVt", b"")] * count)


def padded_jpeg(megabytes: int = 10) -> bytes:
    """Zeros between the markers, which Pillow skips one by one."""
    data = jpeg(64, 64)
    return data[:2] + b"\xff\xe0\x00\x02" + bytes(megabytes << 20) + data[2:]


def tiff_of_many_strips(count: int = 500_000) -> bytes:
    """A TIFF header that lists one byte of pixels half a million times."""
    head = b"II*\0" + struct.pack("<I", 8)
    at = 8 + 2 + 12 * 9 + 4
    fields = [(256, 1, 1000), (257, 1, 1000), (258, 1, 8), (259, 1, 1), (262, 1, 1)]
    fields += [(273, count, at), (277, 1, 1), (278, 1, 1), (279, count, at)]
    directory = b"".join(struct.pack("<HHII", tag, 4, number, value) for tag, number, value in fields)
    return head + struct.pack("<H", len(fields)) + directory + bytes(4) + struct.pack("<I", 8) * count


def eps_bytes() -> bytes:
    return b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\n0 0 64 64 rectfill\nshowpage\n%%EOF\n"


def pdf_bytes() -> bytes:
    return b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer\n<< /Root 1 0 R >>\n%%EOF\n"


def svg_bytes() -> bytes:
    """An SVG whose external entity would read a file, if anything parsed it."""
    return (
        b'<?xml version="1.0"?>\n<!DOCTYPE svg [<!ENTITY leak SYSTEM "file:///etc/passwd">]>\n'
        b'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><text>&leak;</text></svg>\n'
    )


def html_bytes() -> bytes:
    return b"<!doctype html><title>Not found</title><script>alert(1)</script>\n"


def heic_bytes() -> bytes:
    """The first box of an iPhone's photo."""
    return struct.pack(">I", 24) + b"ftypheic\0\0\0\0mif1heic" + bytes(64)


def mp4_bytes() -> bytes:
    """The first box of a video."""
    return struct.pack(">I", 24) + b"ftypisom\0\0\0\0isommp42" + bytes(64)


def gif_with_late_giant() -> bytes:
    """An animation whose second frame claims 65,535 x 65,535 pixels."""
    data = bytearray(animated_gif([photo(64, 48), photo(64, 48, 1)]))
    second = data.index(b"\x2c", data.rindex(b"\x21\xf9\x04"))
    data[second + 5 : second + 9] = b"\xff" * 4
    return bytes(data)


def gif_of_giant_first_frame() -> bytes:
    """A canvas of 64 x 48 pixels, whose first frame claims 65,535 x 65,535."""
    data = bytearray(encode(photo(64, 48), "GIF"))
    first = data.index(b"\x2c", 13 + (3 << (data[10] & 7) + 1))
    data[first + 5 : first + 9] = b"\xff" * 4
    return bytes(data)


# --- parts ------------------------------------------------------------------------------------------------------------


def raw_png(
    values: NDArray[np.generic], *, bits: int, colour_type: int, chunks: Iterable[tuple[bytes, bytes]] = ()
) -> bytes:
    """A PNG of exactly these samples, also in the forms Pillow cannot write. `chunks` go before the pixels."""
    height, width = values.shape[:2]
    samples = values.astype(">u2" if bits == 16 else np.uint8).reshape(height, -1)
    body = zlib.compress(b"".join(b"\0" + row.tobytes() for row in samples))
    return _png_file(width, height, bits, colour_type, body, chunks)


def png_with(data: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG with more chunks after its header."""
    header_end = 8 + 25
    return data[:header_end] + b"".join(chunk(*parts) for parts in chunks) + data[header_end:]


def jpeg_with(data: bytes, marker: int, payload: bytes) -> bytes:
    """A JPEG with one more segment at its start."""
    return data[:2] + struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload + data[2:]


def _png_file(
    width: int, height: int, bits: int, colour_type: int, body: bytes, chunks: Iterable[tuple[bytes, bytes]] = ()
) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", body), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def chunk(kind: bytes, content: bytes) -> bytes:
    """One chunk of a PNG, with its length and checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
