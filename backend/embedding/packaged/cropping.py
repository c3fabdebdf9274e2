"""From a decoded picture of any size to the square the network sees."""

import numpy as np
from PIL import Image

from backend.domain.picture import Pixels


def centre_square(picture: Pixels, *, side: int, crop: float) -> Pixels:
    """(height, width, 3) -> (side, side, 3): the middle square of `crop` times the short side, scaled bicubically.

    The box may end between pixels; Pillow weighs the pixels it cuts, which a slice of whole pixels cannot.
    """
    height, width = picture.shape[:2]
    edge = min(height, width) * crop
    left, top = (width - edge) / 2, (height - edge) / 2
    image = Image.fromarray(picture)
    return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC, box=(left, top, left + edge, top + edge)))
