"""Upright, first frame, no larger than needed and no smaller than asked."""

import numpy as np
import pytest
from PIL import Image

from backend import errors
from backend.domain.picture import Pixels
from backend.imaging.decode import decode
from backend.imaging.inspect import inspect
from backend.imaging.limits import PictureLimits
from backend.imaging.thumbnail import thumbnail
from tests import pictures

LIMITS = PictureLimits()
FULL = 1_000_000


def difference(first: Pixels, second: Pixels | Image.Image) -> float:
    """Mean distance in grey levels."""
    return float(np.abs(np.asarray(first, np.float32) - np.asarray(second, np.float32)).mean())


def scaled(picture: Pixels, side: int) -> Pixels:
    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("name", pictures.one_of_each())
def test_every_format_becomes_writable_contiguous_rgb(name: str) -> None:
    pixels = decode(pictures.one_of_each()[name], FULL, LIMITS)
    assert pixels.dtype == np.uint8
    assert pixels.shape in {(90, 120, 3), (45, 60, 3)}
    assert pixels.flags.c_contiguous
    assert pixels.flags.writeable


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_gives_the_same_upright_picture(orientation: int) -> None:
    pixels = decode(pictures.exif_rotated_jpeg(orientation), FULL, LIMITS)
    assert pixels.shape == (240, 320, 3)
    assert difference(pixels, pictures.photo()) < 3


@pytest.mark.parametrize("picture_format", ["PNG", "WEBP", "TIFF", "AVIF"])
def test_orientation_is_read_from_other_formats_too(picture_format: str) -> None:
    exif = Image.Exif()
    exif[pictures.ORIENTATION] = 6
    options = {"lossless": True} if picture_format == "WEBP" else {}
    stored = pictures.photo(64, 48).transpose(Image.Transpose.ROTATE_90)
    pixels = decode(pictures.encode(stored, picture_format, exif=exif, **options), FULL, LIMITS)
    assert pixels.shape == (48, 64, 3)
    assert difference(pixels, pictures.photo(64, 48)) < 8


@pytest.mark.parametrize(
    "exif",
    [
        b"junk instead of a directory",
        b"II*\0\x08\0\0\0\xff\xff",
        b"II*\0\xff\xff\xff\x7f",
        b"II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\x02\0\0\0ab\0\0\0\0\0\0",
        b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\xff\0\0\0\0\0\0\0",
    ],
    ids=["no directory", "cut directory", "wild offset", "text for a number", "orientation 255"],
)
@pytest.mark.parametrize("picture_format", ["JPEG", "PNG", "WEBP"])
def test_damaged_exif_is_ignored(picture_format: str, exif: bytes) -> None:
    picture = pictures.photo(64, 48)
    damaged = pictures.encode(picture, picture_format, exif=b"Exif\0\0" + exif)
    assert (decode(damaged, FULL, LIMITS) == decode(pictures.encode(picture, picture_format), FULL, LIMITS)).all()


def test_the_first_frame_of_an_animation_is_taken() -> None:
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "lime", "blue")]
    for data in (
        pictures.animated_gif(frames),
        pictures.encode(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True),
        pictures.encode(frames[0], "PNG", save_all=True, append_images=frames[1:]),
    ):
        assert decode(data, FULL, LIMITS)[32, 32].tolist() == [255, 0, 0]


def test_a_later_frame_is_never_looked_at_whatever_it_claims() -> None:
    still = decode(pictures.animated_gif([pictures.photo(64, 48)]), FULL, LIMITS)
    assert difference(decode(pictures.gif_with_late_giant(), FULL, LIMITS), still) < 3


def test_the_first_page_of_a_document_is_taken() -> None:
    pages = [Image.new("RGB", (64, 64), colour) for colour in ("red", "lime")]
    data = pictures.encode(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    assert decode(data, FULL, LIMITS)[32, 32].tolist() == [255, 0, 0]


def test_what_else_a_file_carries_changes_no_pixel() -> None:
    jpeg, gif = pictures.jpeg(64, 48), pictures.encode(pictures.photo(64, 48), "GIF")
    script = b"/*<script>alert(1)</script>*/"
    assert (decode(jpeg + b"PK\x03\x04 a ZIP behind it", FULL, LIMITS) == decode(jpeg, FULL, LIMITS)).all()
    commented = pictures.jpeg_with(jpeg, 0xFE, script)
    assert (decode(commented, FULL, LIMITS) == decode(jpeg, FULL, LIMITS)).all()
    assert (decode(gif + script, FULL, LIMITS) == decode(gif, FULL, LIMITS)).all()


def test_a_large_jpeg_is_decoded_smaller_with_its_short_side_kept() -> None:
    assert decode(pictures.jpeg(1000, 1000), 390, LIMITS).shape == (500, 500, 3)
    assert decode(pictures.jpeg(1601, 1200), 390, LIMITS).shape == (600, 801, 3)
    assert decode(pictures.jpeg(1000, 750), 390, LIMITS).shape == (750, 1000, 3)


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_grey_and_cmyk_jpegs_are_decoded_smaller_too(mode: str) -> None:
    data = pictures.encode(pictures.photo(800, 600).convert(mode), "JPEG")
    assert decode(data, 150, LIMITS).shape == (150, 200, 3)


@pytest.mark.parametrize("width", [260, 261, 367, 519, 520])
@pytest.mark.parametrize("picture_format", ["JPEG", "PNG"])
def test_the_short_side_is_never_below_what_was_asked(picture_format: str, width: int) -> None:
    data = pictures.encode(pictures.photo(width, width + 13), picture_format)
    for min_side in (33, 87, 130):
        short = min(decode(data, min_side, LIMITS).shape[:2])
        assert min_side <= short < 4 * min_side


def test_a_picture_smaller_than_asked_is_not_enlarged() -> None:
    assert decode(pictures.jpeg(60, 40), 390, LIMITS).shape == (40, 60, 3)


@pytest.mark.parametrize("picture_format", ["JPEG", "PNG", "WEBP"])
def test_the_smaller_decode_shows_the_same_picture(picture_format: str) -> None:
    data = pictures.encode(pictures.photo(800, 800), picture_format)
    small, full = decode(data, 100, LIMITS), decode(data, FULL, LIMITS)
    assert small.size < full.size / 4
    assert difference(scaled(small, 66), scaled(full, 66)) < 1


def test_a_picture_with_alpha_is_averaged_by_its_visible_share_without_seams() -> None:
    x = np.linspace(0, 255, 700)
    alpha = Image.fromarray(np.broadcast_to(x[:, None], (700, 900)).astype(np.uint8))
    picture = pictures.photo(900, 700)
    picture.putalpha(alpha)
    pixels = decode(pictures.encode(picture, "PNG"), 100, LIMITS)
    assert pixels.shape == (234, 300, 3)
    white = Image.new("RGBA", picture.size, "white")
    over_white = Image.alpha_composite(white, picture).convert("RGB").reduce(3)
    assert np.abs(np.asarray(over_white).astype(int) - pixels).max() <= 3


def test_a_checkerboard_of_single_pixels_becomes_even_grey_not_a_pattern() -> None:
    board = (np.indices((800, 800)).sum(axis=0) % 2 * 255).astype(np.uint8)
    pixels = decode(pictures.encode(Image.fromarray(board), "PNG"), 100, LIMITS)
    assert pixels.shape == (200, 200, 3)
    assert int(pixels.min()) >= 126
    assert int(pixels.max()) <= 129


def test_damage_inside_the_pixels_is_refused() -> None:
    data = bytearray(pictures.png())
    middle = len(data) // 2
    data[middle : middle + 200] = bytes(200)
    with pytest.raises(errors.UnreadableImage):
        decode(bytes(data), 64, LIMITS)


def test_the_limits_hold_for_decoding_too() -> None:
    for data, refused in (
        (b"", errors.EmptyImage),
        (pictures.bomb_png(), errors.TooManyPixels),
        (pictures.strip_png(), errors.AspectTooExtreme),
        (pictures.eps_bytes(), errors.UnsupportedImageType),
        (pictures.png(8, 8), errors.ImageTooSmall),
    ):
        with pytest.raises(refused):
            decode(data, 390, LIMITS)


def test_a_uniform_picture_is_decoded_like_any_other() -> None:
    for mode, colour in (("RGB", "black"), ("RGB", "white"), ("RGBA", (0, 0, 0, 0))):
        pixels = decode(pictures.encode(Image.new(mode, (64, 64), colour), "PNG"), 64, LIMITS)
        assert len(np.unique(pixels)) == 1


def test_what_is_large_enough_in_the_header_is_so_for_the_decoder() -> None:
    limits = PictureLimits(min_side=300)
    for data in (pictures.jpeg(500, 500), pictures.png(500, 500)):
        inspect(data, limits)
        assert min(decode(data, 224, limits).shape[:2]) >= 224
        assert thumbnail(data, 100, limits).startswith(b"\xff\xd8")
