"""The usual JPEG's pixels without Pillow's detours: the same libjpeg-turbo, straight into an array.

Pillow unpacks into memory of its own, packs that into bytes and numpy copies them: 2.4 ms of processor time for a
photograph of 1,000 pixels halved on the way, where this takes 1.6. The pixels are the same to the last bit.
"""

import simplejpeg

from backend.domain.picture import Pixels


def unpacked(data: bytes, size: tuple[int, int]) -> Pixels | None:
    """(height, width, 3) uint8 of an RGB JPEG at the `size` (width, height) Pillow has chosen for it.

    None where libjpeg has as little as a warning: Pillow knows which of them to bear with, and says what is wrong with
    the rest.
    """
    width, height = size
    try:
        pixels: Pixels = simplejpeg.decode_jpeg(data, "RGB", min_height=height, min_width=width)
    except ValueError:
        return None
    return pixels if pixels.shape == (height, width, 3) else None
