import numpy as np
import pytest

from backend.embedding.packaged.cropping import centre_square
from tests.unit.embedding.packaged import drawing


@pytest.mark.parametrize(("height", "width"), [(400, 300), (300, 400), (16, 320), (1, 1), (260, 260)])
def test_any_shape_becomes_the_square(height: int, width: int) -> None:
    square = centre_square(drawing.plain(drawing.RED, height, width), side=260, crop=0.875)
    assert square.shape == (260, 260, 3)
    assert square.dtype == np.uint8
    assert (square == drawing.RED).all()


def test_the_middle_is_kept_and_the_edges_are_cut() -> None:
    picture = drawing.plain(drawing.WHITE, 200, 400)
    # The box begins at 12.5; at this scale the bicubic kernel reaches 3.5 pixels beyond it.
    picture[:, :100] = picture[:, 300:] = picture[:9] = picture[191:] = drawing.RED
    assert (centre_square(picture, side=100, crop=0.875) == drawing.WHITE).all()


def test_a_turned_view_of_an_array_is_read_as_seen() -> None:
    picture = drawing.waves()
    turned = centre_square(picture.transpose(1, 0, 2), side=64, crop=1.0)
    assert np.array_equal(turned, centre_square(np.ascontiguousarray(picture.transpose(1, 0, 2)), side=64, crop=1.0))
