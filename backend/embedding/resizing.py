"""Pictures made smaller or larger, by Pillow exactly as models' own image processors do it, or quickly by torch."""

from collections.abc import Callable
from typing import Final

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from backend.domain.picture import Pixels

Resize = Callable[[Pixels, tuple[int, int], Image.Resampling], Pixels]
"""(height, width, 3) uint8 -> the same of another (height, width), by one of Pillow's filters."""

_MODES: Final = {Image.Resampling.BILINEAR: "bilinear", Image.Resampling.BICUBIC: "bicubic"}
"""Pillow's filters that torch knows too."""


def exactly(picture: Pixels, size: tuple[int, int], resampling: Image.Resampling) -> Pixels:
    """By Pillow."""
    return np.asarray(Image.fromarray(picture).resize((size[1], size[0]), resampling))


def quickly(picture: Pixels, size: tuple[int, int], resampling: Image.Resampling) -> Pixels:
    """Pillow's arithmetic in whole numbers, run by torch with vector instructions.

    A quarter of the time (measured from 500x375 to 299x224: .7 ms instead of 2.8), and the same numbers but for one
    step of 255 in five of a thousand values. Where Pillow shortens before it narrows, which release 13 does with tall
    pictures, they differ by a quarter of a step on average, on noise; here the order is always the same. Filters torch
    does not know are left to Pillow.
    """
    mode = _MODES.get(resampling)
    if mode is None:
        return exactly(picture, size, resampling)
    # torch warns of an array that may not be written to, whatever is done with it.
    owned = picture if picture.flags.writeable else picture.copy()
    with torch.inference_mode():
        planes = torch.from_numpy(owned).permute(2, 0, 1)[None]
        scaled = functional.interpolate(planes, size, mode=mode, antialias=True)
    pixels: Pixels = scaled[0].permute(1, 2, 0).numpy()
    return pixels
