"""HEIC, with the optional package and without."""

import sys

import numpy as np
import pytest
from PIL import Image

from backend import errors
from backend.domain.picture import PictureFacts
from backend.imaging.decode import decode
from backend.imaging.heif import heif_is_readable
from backend.imaging.inspect import inspect
from backend.imaging.isolated import IsolatedReader
from backend.imaging.limits import PictureLimits
from backend.imaging.reader import PillowReader
from tests import pictures

LIMITS = PictureLimits()
FULL = 1_000_000
needs_package = pytest.mark.skipif(not heif_is_readable(), reason="pillow-heif, which is optional, is not installed")


def heic(picture: Image.Image, **options: object) -> bytes:
    return pictures.encode(picture, "HEIF", **{"quality": 95, **options})


def test_without_the_package_heic_is_refused_and_the_extra_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    heif_is_readable.cache_clear()
    try:
        with pytest.raises(errors.UnsupportedImageType, match=r"HEIC.*shelfsight\[heif\]"):
            inspect(pictures.heic_bytes(), LIMITS)
    finally:
        heif_is_readable.cache_clear()


def test_an_avif_that_lists_heics_container_brand_is_an_avif() -> None:
    data = pictures.encode(pictures.photo(64, 48), "AVIF", speed=10)
    assert b"mif1" in data[:40]
    assert inspect(data, LIMITS) == PictureFacts("AVIF", 64, 48)


@needs_package
def test_an_iphones_photo_is_read() -> None:
    photo = pictures.photo(300, 200)
    for data in (heic(photo), heic(photo, tile_size=128)):  # in one piece, and in tiles as phones store it
        assert inspect(data, LIMITS) == PictureFacts("HEIF", 300, 200)
        assert np.abs(decode(data, FULL, LIMITS).astype(int) - np.asarray(photo)).mean() < 4


@needs_package
@pytest.mark.parametrize("orientation", range(1, 9))
def test_heic_is_upright_by_its_own_turning_and_not_turned_twice_by_exif(orientation: int) -> None:
    upright = pictures.photo(96, 64)
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    stored = upright.transpose(Image.Transpose(undo[orientation])) if orientation > 1 else upright
    exif = Image.Exif()
    exif[pictures.ORIENTATION] = orientation
    data = heic(stored, exif=exif.tobytes())
    assert inspect(data, LIMITS) == PictureFacts("HEIF", 96, 64)
    assert np.abs(decode(data, FULL, LIMITS).astype(int) - np.asarray(upright)).mean() < 5


@needs_package
def test_colour_and_transparency_of_heic_are_treated_as_everywhere() -> None:
    profile = pictures.rgb_profile(pictures.ADOBE_RGB_COLORANTS, 563 / 256)
    colour = (100, 160, 100)

    def middle(mode: str, *, fill: tuple[int, ...], icc_profile: bytes | None = None, kind: str = "HEIF") -> list[int]:
        options = {"icc_profile": icc_profile} if icc_profile else {}
        picture = Image.new(mode, (64, 64), fill)
        data = heic(picture, **options) if kind == "HEIF" else pictures.encode(picture, kind, **options)
        return [int(value) for value in decode(data, FULL, LIMITS)[32, 32]]

    expected = middle("RGB", fill=colour, icc_profile=profile, kind="PNG")
    assert np.abs(np.subtract(middle("RGB", fill=colour, icc_profile=profile), expected)).max() <= 3
    assert np.abs(np.subtract(middle("RGB", fill=colour, icc_profile=b"broken"), colour)).max() <= 3
    assert min(middle("RGBA", fill=(255, 0, 255, 0))) >= 253


@needs_package
def test_the_limits_hold_for_heic_before_a_pixel_is_decoded() -> None:
    data = heic(pictures.photo(120, 90))
    for limits, refused in (
        (PictureLimits(max_pixels=10_000), errors.TooManyPixels),
        (PictureLimits(min_side=100), errors.ImageTooSmall),
        (PictureLimits(max_aspect=1.2), errors.AspectTooExtreme),
        (PictureLimits(max_bytes=1000), errors.ImageTooLarge),
    ):
        with pytest.raises(refused):
            inspect(data, limits)


@needs_package
@pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 0.99])
def test_a_cut_heic_is_truncated(share: float) -> None:
    with pytest.raises(errors.TruncatedImage):
        inspect(pictures.truncated(heic(pictures.photo(120, 90)), share), LIMITS)


@needs_package
@pytest.mark.parametrize("claimed", [(8000, 6000), (60, 45)])
def test_a_header_that_lies_about_the_size_is_refused_when_decoded(claimed: tuple[int, int]) -> None:
    data = bytearray(heic(pictures.photo(120, 90)))
    at = data.index(b"ispe") + 8
    data[at : at + 8] = b"".join(side.to_bytes(4, "big") for side in claimed)
    with pytest.raises(errors.UnreadableImage):
        decode(bytes(data), 30, LIMITS)


@needs_package
def test_decoders_read_heic_too() -> None:
    data = heic(pictures.photo(120, 90))
    reader = IsolatedReader(LIMITS, processes=1, seconds=30, memory_bytes=1_000_000_000)
    try:
        assert (reader.decode(data, 30) == PillowReader(LIMITS).decode(data, 30)).all()
    finally:
        reader.close()
