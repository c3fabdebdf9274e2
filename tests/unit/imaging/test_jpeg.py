"""The usual JPEG past Pillow: the same pixels, and nothing that Pillow would have said is lost."""

import io

import numpy as np
import pytest
from PIL import Image, ImageFile

from backend import errors
from backend.domain.picture import Pixels
from backend.imaging.decode import decode
from backend.imaging.jpeg import unpacked
from backend.imaging.limits import PictureLimits
from tests import pictures

LIMITS = PictureLimits()
MIN_SIDE = 100


def by_pillow(data: bytes, min_side: int = MIN_SIDE) -> Pixels:
    with Image.open(io.BytesIO(data)) as picture:
        picture.draft(None, (min_side, min_side))
        return np.array(picture)


def without_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(picture: ImageFile.ImageFile) -> None:
        raise AssertionError("Pillow was asked")

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)


@pytest.mark.parametrize("size", [(640, 480), (451, 803), (100, 100), (399, 201), (1, 700), (57, 33)])
@pytest.mark.parametrize("progressive", [False, True], ids=["baseline", "progressive"])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_the_pixels_are_pillows(
    size: tuple[int, int], *, progressive: bool, subsampling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = pictures.jpeg(*size, subsampling=subsampling, progressive=progressive)
    expected = by_pillow(data)
    without_pillow(monkeypatch)
    limits = PictureLimits(min_side=1, max_aspect=1000)
    assert np.array_equal(decode(data, MIN_SIDE, limits), expected)


def test_colours_stored_as_they_are_come_out_so(monkeypatch: pytest.MonkeyPatch) -> None:
    data = pictures.jpeg(keep_rgb=True)
    expected = by_pillow(data)
    without_pillow(monkeypatch)
    assert np.array_equal(decode(data, MIN_SIDE, LIMITS), expected)


def test_a_profile_that_says_srgb_costs_no_detour(monkeypatch: pytest.MonkeyPatch) -> None:
    profile = pictures.rgb_profile(pictures.SRGB_COLORANTS, 2.2, "sRGB IEC61966-2.1")
    data = pictures.jpeg(icc_profile=profile)
    expected = by_pillow(data)
    without_pillow(monkeypatch)
    assert np.array_equal(decode(data, MIN_SIDE, LIMITS), expected)


def test_a_jpeg_libjpeg_warns_of_is_pillows_which_bears_with_it() -> None:
    whole = pictures.jpeg()
    padded = whole[:-2] + b"\x00junk before the end" + whole[-2:]
    assert unpacked(padded, (320, 240)) is None
    assert np.array_equal(decode(padded, 240, LIMITS), by_pillow(whole, 240))


def test_one_that_was_closed_after_half_of_its_rows_is_pillows_which_completes_it() -> None:
    cut = pictures.truncated(pictures.jpeg()) + b"\xff\xd9"
    assert unpacked(cut, (320, 240)) is None
    assert np.array_equal(decode(cut, 240, LIMITS), by_pillow(cut, 240))


def test_one_that_ends_early_is_refused() -> None:
    assert unpacked(pictures.truncated_jpeg(), (320, 240)) is None
    with pytest.raises(errors.UnreadableImage):
        decode(pictures.truncated_jpeg(), MIN_SIDE, LIMITS)


def test_another_size_than_pillow_chose_is_not_taken() -> None:
    assert unpacked(pictures.jpeg(320, 240), (319, 240)) is None
