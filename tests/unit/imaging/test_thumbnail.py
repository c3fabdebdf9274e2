"""Small, upright, clean."""

import io

import numpy as np
import pytest
from PIL import Image

from backend import errors
from backend.imaging.limits import PictureLimits
from backend.imaging.thumbnail import thumbnail
from tests import pictures

LIMITS = PictureLimits()


def opened(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data), formats=["JPEG"]) as picture:
        picture.load()
        return picture


@pytest.mark.parametrize(
    ("size", "expected"), [((1000, 500), (320, 160)), ((500, 1000), (320, 640)), ((321, 321), (320, 320))]
)
def test_a_thumbnail_has_the_asked_width_and_the_pictures_shape(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert opened(thumbnail(pictures.jpeg(*size), 320, LIMITS)).size == expected
    assert opened(thumbnail(pictures.png(*size), 320, LIMITS)).size == expected


def test_a_picture_that_is_narrow_already_is_not_enlarged() -> None:
    assert opened(thumbnail(pictures.png(100, 50), 320, LIMITS)).size == (100, 50)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_thumbnail_is_upright_and_says_nothing_about_turning(orientation: int) -> None:
    small = opened(thumbnail(pictures.exif_rotated_jpeg(orientation), 160, LIMITS))
    assert small.size == (160, 120)
    assert not small.getexif()
    upright = np.asarray(pictures.photo().resize((160, 120), Image.Resampling.LANCZOS), np.float32)
    assert np.abs(np.asarray(small, np.float32) - upright).mean() < 6


def test_nothing_but_pixels_is_passed_on() -> None:
    exif = Image.Exif()
    exif[0x010E] = "where the merchant lives"
    profile = pictures.rgb_profile(pictures.ADOBE_RGB_COLORANTS, 2.2)
    data = pictures.jpeg(exif=exif, icc_profile=profile, comment=b"a comment") + b"PK\x03\x04 a ZIP behind it"
    small = thumbnail(data, 160, LIMITS)
    for hidden in (b"Exif", b"merchant", b"ICC_PROFILE", b"comment", b"PK\x03\x04"):
        assert hidden in data
        assert hidden not in small


def test_a_thumbnail_is_progressive_so_that_it_shows_early() -> None:
    assert opened(thumbnail(pictures.png(), 160, LIMITS)).info["progressive"]


def test_transparency_is_white_in_a_thumbnail() -> None:
    small = opened(thumbnail(pictures.transparent_png(side=64), 64, LIMITS))
    assert min(small.getpixel((60, 32))) > 245  # type: ignore[arg-type]  # an RGB pixel is a tuple of int


def test_an_extreme_but_admitted_shape_has_a_thumbnail() -> None:
    assert opened(thumbnail(pictures.strip_png(640, 32), 8, LIMITS)).size == (8, 1)


def test_a_bad_file_has_no_thumbnail() -> None:
    with pytest.raises(errors.TruncatedImage):
        thumbnail(pictures.truncated_jpeg(), 160, LIMITS)
