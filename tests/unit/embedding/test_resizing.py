import numpy as np
import pytest
from PIL import Image

from backend.embedding.resizing import exactly, quickly

Filter = Image.Resampling


def noise(height: int, width: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("resampling", [Filter.BILINEAR, Filter.BICUBIC])
@pytest.mark.parametrize("size", [(299, 224), (130, 98), (1, 1), (500, 375), (900, 800)])
def test_the_numbers_are_pillows_but_for_one_step(size: tuple[int, int], resampling: Filter) -> None:
    picture = noise(500, 375)
    steps = np.abs(quickly(picture, size, resampling).astype(int) - exactly(picture, size, resampling))
    assert steps.max() <= 1


def test_a_filter_that_torch_does_not_know_is_pillows_own() -> None:
    picture = noise(50, 40)
    pillows = exactly(picture, (25, 20), Filter.LANCZOS)
    assert np.array_equal(quickly(picture, (25, 20), Filter.LANCZOS), pillows)


def test_views_and_arrays_that_may_not_be_written_to_are_read_as_they_look() -> None:
    picture = noise(60, 80)
    view = picture[5:-5, ::2].transpose(1, 0, 2)
    expected = quickly(np.ascontiguousarray(view), (32, 32), Filter.BICUBIC)
    assert np.array_equal(quickly(view, (32, 32), Filter.BICUBIC), expected)
    frozen = picture.copy()
    frozen.flags.writeable = False
    assert np.array_equal(quickly(frozen, (32, 32), Filter.BICUBIC), quickly(picture, (32, 32), Filter.BICUBIC))
