"""From a decoded picture of any size to the square the network sees."""

from PIL import Image

from backend.domain.picture import Pixels
from backend.embedding.resizing import quickly


def centre_square(picture: Pixels, *, side: int, crop: float) -> Pixels:
    """(height, width, 3) -> (side, side, 3): the middle square of `crop` times the short side, scaled bicubically.

    It is cut at whole pixels, as many on the left as on the right: half a pixel off the middle tells more in a vector
    than the pixel by which it may be no square.
    """
    edge = min(picture.shape[:2]) * crop
    top, left = (_margin(length, edge) for length in picture.shape[:2])
    middle = picture[top : picture.shape[0] - top, left : picture.shape[1] - left]
    return quickly(middle, (side, side), Image.Resampling.BICUBIC)


def _margin(length: int, edge: float) -> int:
    return round((length - edge) / 2)
