"""The traps that give a wrong picture without an error."""

import zlib
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from backend.domain.picture import Pixels
from backend.imaging.decode import decode
from backend.imaging.limits import PictureLimits
from tests import pictures

LIMITS = PictureLimits()
FULL = 1_000_000
WHITE, GREEN = [255, 255, 255], [0, 128, 0]


def decoded(data: bytes) -> Pixels:
    return decode(data, FULL, LIMITS)


def closeness(first: Pixels, second: Pixels) -> float:
    """Cosine of the two pictures around mid-grey."""
    a, b = (pixels.astype(np.float64).ravel() - 127.5 for pixels in (first, second))
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


# --- depth ------------------------------------------------------------------------------------------------------------


def test_sixteen_bit_grey_equals_its_eight_bit_twin_and_is_not_white() -> None:
    grey = pictures.photo().convert("L")
    pixels = decoded(pictures.sixteen_bit_png(grey))
    assert (pixels == decoded(pictures.encode(grey, "PNG"))).all()
    assert pixels.mean() < 200


def test_sixteen_bit_colour_equals_its_eight_bit_twin() -> None:
    pixels = decoded(pictures.sixteen_bit_rgb_png(pictures.photo(64, 48)))
    assert (pixels == np.asarray(pictures.photo(64, 48))).all()


@pytest.mark.parametrize("byte_order", ["<", ">"])
def test_sixteen_bit_tiff_of_either_byte_order_is_scaled(byte_order: str) -> None:
    grey = np.asarray(pictures.photo(64, 48).convert("L"))
    data = tiff_of((grey.astype(np.uint16) * 257).astype(f"{byte_order}u2"), byte_order, bits=16)
    assert (decoded(data)[..., 0] == grey).all()


def test_sixteen_bit_tiff_that_counts_from_white_is_turned_round() -> None:
    grey = np.asarray(pictures.photo(64, 48).convert("L"))
    data = tiff_of(((255 - grey).astype(np.uint16) * 257).astype("<u2"), "<", bits=16, photometric=0)
    assert (decoded(data)[..., 0] == grey).all()


def test_twelve_bit_tiff_is_scaled_by_its_own_depth() -> None:
    values = np.repeat(np.linspace(0, 4095, 64).astype(np.uint16)[None], 64, axis=0)
    pairs = values.reshape(-1, 2).astype(np.uint32)
    packed = (pairs[:, 0] << 12 | pairs[:, 1]).astype(">u4").tobytes()
    rows = b"".join(packed[at + 1 : at + 4] for at in range(0, len(packed), 4))
    pixels = decoded(tiff_of(np.frombuffer(rows, np.uint8), "<", bits=12, shape=(64, 64)))
    assert pixels[0, 0, 0] == 0
    assert pixels[0, 63, 0] == 255


@pytest.mark.parametrize(
    "values",
    [
        np.linspace(0, 1, 4096, dtype=np.float32),
        np.linspace(0, 255, 4096, dtype=np.float32),
        np.linspace(0, 65_535, 4096, dtype=np.float32),
        np.linspace(-3, 1e6, 4096, dtype=np.float32),
        np.linspace(0, 65_535, 4096).astype(np.int32),
        np.linspace(-1e9, 1e9, 4096).astype(np.int32),
    ],
    ids=["0..1", "0..255", "0..65535", "any range", "16-bit integers", "any integers"],
)
def test_floats_and_wide_integers_span_black_to_white(values: NDArray[np.generic]) -> None:
    pixels = decoded(pictures.encode(Image.fromarray(values.reshape(64, 64)), "TIFF"))
    assert int(pixels.min()) == 0
    assert int(pixels.max()) == 255
    assert 120 < pixels.mean() < 135


def test_a_dark_float_picture_stays_dark() -> None:
    values = np.full((64, 64), 0.1, np.float32)
    assert set(np.unique(decoded(pictures.encode(Image.fromarray(values), "TIFF")))) == {26}


def test_floats_that_are_no_numbers_are_black() -> None:
    values = np.full((64, 64), 0.5, np.float32)
    values[0, :3] = np.nan, np.inf, -np.inf
    pixels = decoded(pictures.encode(Image.fromarray(values), "TIFF"))
    assert pixels[0, :4, 0].tolist() == [0, 0, 0, 128]


def test_a_uniform_picture_outside_every_white_point_is_black_not_an_error() -> None:
    values = np.full((64, 64), -7.0, np.float32)
    assert not decoded(pictures.encode(Image.fromarray(values), "TIFF")).any()


def test_one_bit_and_grey_pictures_keep_black_and_white() -> None:
    halves = Image.new("L", (64, 64))
    halves.paste(255, (32, 0, 64, 64))
    for mode in ("1", "L"):
        pixels = decoded(pictures.encode(halves.convert(mode), "PNG"))
        assert pixels[5, 5].tolist() == [0, 0, 0]
        assert pixels[5, 60].tolist() == WHITE


# --- transparency -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("min_side", [64, 16])
def test_the_colour_hidden_under_transparent_pixels_does_not_leak(min_side: int) -> None:
    data = pictures.transparent_png(hidden=(255, 0, 255))
    other = pictures.transparent_png(hidden=(0, 0, 0))
    pixels = decode(data, min_side, LIMITS)
    assert pixels[0, -1].tolist() == WHITE
    assert pixels[0, 0].tolist() == GREEN
    assert (pixels == decode(other, min_side, LIMITS)).all()


def test_half_transparent_pixels_are_mixed_with_white() -> None:
    data = pictures.encode(Image.new("RGBA", (32, 32), (0, 0, 0, 128)), "PNG")
    assert decoded(data)[0, 0].tolist() == [127, 127, 127]


@pytest.mark.parametrize("picture_format", ["PNG", "WEBP", "TIFF", "AVIF"])
def test_transparency_is_over_white_in_every_format_that_has_it(picture_format: str) -> None:
    options = {"lossless": True} if picture_format == "WEBP" else {}
    picture = Image.new("RGBA", (32, 32), (200, 30, 30, 0))
    assert decoded(pictures.encode(picture, picture_format, **options))[16, 16].tolist() == WHITE


def test_grey_with_alpha_is_over_white() -> None:
    assert decoded(pictures.encode(Image.new("LA", (32, 32), (0, 0)), "PNG"))[0, 0].tolist() == WHITE


def palette_picture() -> Image.Image:
    """Left half palette entry 0 (red), right half entry 1 (blue)."""
    picture = Image.new("P", (32, 32), 0)
    picture.putpalette([255, 0, 0, 0, 0, 255] + [0] * 762)
    picture.paste(1, (16, 0, 32, 32))
    return picture


def test_one_transparent_palette_entry_is_white() -> None:
    for picture_format in ("PNG", "GIF"):
        pixels = decoded(pictures.encode(palette_picture(), picture_format, transparency=1))
        assert (pixels[0, 0].tolist(), pixels[0, 31].tolist()) == ([255, 0, 0], WHITE)


def test_a_palette_with_an_alpha_for_each_entry_is_over_white() -> None:
    pixels = decoded(pictures.encode(palette_picture(), "PNG", transparency=bytes([51, 0])))
    assert (pixels[0, 0].tolist(), pixels[0, 31].tolist()) == ([255, 204, 204], WHITE)


def test_a_transparent_colour_of_grey_and_rgb_pictures_is_white() -> None:
    for mode, colour in (("L", 50), ("RGB", (10, 20, 30)), ("1", 0)):
        data = pictures.encode(Image.new(mode, (32, 32), colour), "PNG", transparency=colour)
        assert decoded(data)[0, 0].tolist() == WHITE


def test_a_transparent_colour_of_sixteen_bits_is_white() -> None:
    colour = (0x0A11, 0xC822, 0x1E33)  # the low bytes unlike the high ones: a mask of either kind would show
    values = np.full((32, 32, 3), colour, np.uint16)
    values[:, :16] = 0x0A0A
    trns = b"".join(part.to_bytes(2, "big") for part in colour)
    pixels = decoded(pictures.raw_png(values, bits=16, colour_type=2, chunks=[(b"tRNS", trns)]))
    assert (pixels[0, 0].tolist(), pixels[0, 31].tolist()) == ([10, 10, 10], WHITE)


def test_a_transparent_grey_of_sixteen_bits_is_white_and_its_neighbour_is_not() -> None:
    values = np.full((32, 32), 1000, np.uint16)
    values[:, :16] = 1001  # the same high byte: only all 16 bits tell them apart
    data = pictures.raw_png(values, bits=16, colour_type=0, chunks=[(b"tRNS", (1000).to_bytes(2, "big"))])
    pixels = decoded(data)
    assert (pixels[0, 0].tolist(), pixels[0, 31].tolist()) == ([3, 3, 3], WHITE)


# --- inks and profiles ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [pictures.cmyk_jpeg, pictures.ycck_jpeg])
@pytest.mark.parametrize(
    ("ink", "colour"),
    [
        ((0, 255, 255, 0), (255, 0, 0)),
        ((255, 0, 0, 0), (0, 255, 255)),
        ((0, 0, 0, 255), (0, 0, 0)),
        ((0, 0, 0, 0), (255, 255, 255)),
    ],
    ids=["red", "cyan", "black", "white"],
)
def test_printing_inks_show_their_colour(
    make: object, ink: tuple[int, int, int, int], colour: tuple[int, int, int]
) -> None:
    assert callable(make)
    pixels = decoded(make(ink)).astype(int)
    assert np.abs(pixels - colour).max() <= 3


def test_a_cmyk_photo_is_close_to_its_rgb_twin() -> None:
    photo = pictures.photo()
    assert closeness(decoded(pictures.encode(photo.convert("CMYK"), "JPEG")), np.asarray(photo)) > 0.98


def in_srgb(colour: tuple[int, int, int]) -> NDArray[np.float64]:
    """An Adobe RGB (1998) colour as sRGB, by the two standards' own formulas (both over D50)."""
    linear = (np.asarray(colour) / 255) ** (563 / 256)
    xyz = linear @ np.asarray(pictures.ADOBE_RGB_COLORANTS)
    linear = np.clip(xyz @ np.linalg.inv(np.asarray(pictures.SRGB_COLORANTS)), 0, 1)
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray(255 * curved)


ADOBE_RGB = pictures.rgb_profile(pictures.ADOBE_RGB_COLORANTS, 563 / 256)


@pytest.mark.parametrize("colour", [(100, 160, 100), (200, 120, 110), (90, 90, 180), (128, 128, 128)])
def test_adobe_rgb_becomes_srgb(colour: tuple[int, int, int]) -> None:
    data = pictures.encode(Image.new("RGB", (32, 32), colour), "PNG", icc_profile=ADOBE_RGB)
    assert np.abs(decoded(data)[0, 0] - in_srgb(colour)).max() <= 2


def test_a_profile_applies_under_transparency_and_in_every_carrier() -> None:
    colour = (100, 160, 100)
    for picture_format, options in (("JPEG", {"quality": 100}), ("WEBP", {"lossless": True}), ("TIFF", {})):
        data = pictures.encode(Image.new("RGB", (32, 32), colour), picture_format, icc_profile=ADOBE_RGB, **options)
        assert np.abs(decoded(data)[16, 16] - in_srgb(colour)).max() <= 3
    half = pictures.encode(Image.new("RGBA", (32, 32), (*colour, 128)), "PNG", icc_profile=ADOBE_RGB)
    assert np.abs(decoded(half)[0, 0] - (in_srgb(colour) * 128 + 255 * 127) / 255).max() <= 2


def test_a_profile_applies_to_a_palette() -> None:
    colour = (100, 160, 100)
    data = pictures.encode(Image.new("RGB", (32, 32), colour).quantize(2), "PNG", icc_profile=ADOBE_RGB)
    assert np.abs(decoded(data)[0, 0] - in_srgb(colour)).max() <= 2


def test_a_profile_says_which_band_is_red() -> None:
    red, green, blue = pictures.SRGB_COLORANTS
    swapped = pictures.rgb_profile((green, red, blue), 2.2)
    data = pictures.encode(Image.new("RGB", (32, 32), (0, 255, 0)), "PNG", icc_profile=swapped)
    assert np.abs(decoded(data)[0, 0] - np.array([255, 0, 0])).max() <= 3


def test_an_rgb_profile_on_a_grey_picture_is_used_as_for_equal_red_green_and_blue() -> None:
    dark = pictures.rgb_profile(pictures.SRGB_COLORANTS, 1.0)
    data = pictures.encode(Image.new("L", (32, 32), 55), "PNG", icc_profile=dark)
    pixels = decoded(data)[0, 0]
    assert np.ptp(pixels) <= 2
    assert 120 <= pixels[0] <= 134  # 55 of 255 in linear light is the middle of sRGB's curve


def test_a_profile_applies_to_sixteen_bits_as_to_eight() -> None:
    grey = pictures.photo(64, 48).convert("L")
    dark = pictures.rgb_profile(pictures.SRGB_COLORANTS, 1.0)
    chunk = (b"iCCP", b"dark\0\0" + zlib.compress(dark))
    plain = pictures.sixteen_bit_png(grey)
    pixels = decoded(pictures.png_with(plain, chunk))
    assert (pixels == decoded(pictures.encode(grey, "PNG", icc_profile=dark))).all()
    assert pixels.mean() > decoded(plain).mean() + 10


@pytest.mark.parametrize(
    "profile",
    [b"", b"no profile at all", ADOBE_RGB[:200], ADOBE_RGB[:128] + bytes(400), bytes(5000)],
    ids=["empty", "text", "cut", "no tags", "zeros"],
)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_broken_profile_is_ignored(profile: bytes, mode: str) -> None:
    picture = pictures.photo(64, 48).convert(mode)
    plain, broken = pictures.encode(picture, "JPEG"), pictures.encode(picture, "JPEG", icc_profile=profile)
    assert (decoded(broken) == decoded(plain)).all()


def test_inks_show_the_colour_their_profile_gives_them() -> None:
    cyan = Image.new("CMYK", (32, 32), (255, 0, 0, 0))
    with_profile = pictures.cmyk_profile()
    for picture_format, options in (("JPEG", {"quality": 100}), ("TIFF", {})):
        data = pictures.encode(cyan, picture_format, icc_profile=with_profile, **options)
        red, green, blue = (int(value) for value in decoded(data)[16, 16])
        assert red > 200
        assert max(green, blue) < 60
    paper = pictures.encode(Image.new("CMYK", (32, 32), (0, 0, 0, 0)), "JPEG", icc_profile=with_profile)
    assert decoded(paper)[16, 16].min() > 245


def test_a_profile_for_other_inks_is_ignored() -> None:
    picture = Image.new("CMYK", (32, 32), (0, 255, 255, 0))
    assert (
        np.abs(decoded(pictures.encode(picture, "JPEG", icc_profile=ADOBE_RGB))[0, 0].astype(int) - (255, 0, 0)).max()
        < 4
    )


def test_a_profile_over_its_limit_is_ignored() -> None:
    data = pictures.encode(Image.new("RGB", (32, 32), (100, 160, 100)), "PNG", icc_profile=ADOBE_RGB)
    limits = PictureLimits(max_profile_bytes=len(ADOBE_RGB) - 1)
    assert decode(data, FULL, limits)[0, 0].tolist() == [100, 160, 100]


def test_a_profile_named_srgb_changes_nothing() -> None:
    named = pictures.rgb_profile(pictures.ADOBE_RGB_COLORANTS, 2.2, "sRGB IEC61966-2.1")
    data = pictures.encode(Image.new("RGB", (32, 32), (100, 160, 100)), "PNG", icc_profile=named)
    assert decoded(data)[0, 0].tolist() == [100, 160, 100]


def test_lab_and_ycbcr_tiffs_show_the_photo() -> None:
    photo = pictures.photo(64, 48)
    for mode in ("LAB", "YCbCr"):
        assert closeness(decoded(pictures.encode(photo.convert(mode), "TIFF")), np.asarray(photo)) > 0.98


def tiff_of(
    values: NDArray[np.generic],
    byte_order: str,
    *,
    bits: int,
    photometric: int = 1,
    shape: tuple[int, int] | None = None,
) -> bytes:
    """An uncompressed grey TIFF in one strip, in the forms Pillow does not write."""
    order: Literal["little", "big"] = "little" if byte_order == "<" else "big"
    height, width = shape or values.shape
    pixels = values.tobytes()
    fields = [(256, width), (257, height), (258, bits), (259, 1), (262, photometric), (273, 0), (277, 1), (278, height)]
    fields += [(279, len(pixels))]
    start = 8 + 2 + 12 * len(fields) + 4
    head = (b"II*\0" if order == "little" else b"MM\0*") + (8).to_bytes(4, order) + len(fields).to_bytes(2, order)
    for tag, value in fields:
        value_bytes = (start if tag == 273 else value).to_bytes(4, order)
        head += tag.to_bytes(2, order) + (4).to_bytes(2, order) + (1).to_bytes(4, order) + value_bytes
    return head + bytes(4) + pixels
