"""From outlines to soft-edged masks, and blurs fine enough to take slopes of.

Edges are drawn three times larger and averaged down (`SUPERSAMPLING`); colours and light are smooth and are computed
once per pixel. That costs a ninth of supersampling everything and looks the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from backend.demo.curves import Points

Field: TypeAlias = NDArray[np.float32]
"""One number per pixel, (height, width)."""

Colours: TypeAlias = NDArray[np.float32]
"""One linear RGB colour per pixel, (3, height, width): three whole planes, which numpy adds and multiplies fastest."""

SUPERSAMPLING = 3


@dataclass(frozen=True, slots=True)
class Patch:
    """A rectangle of the picture and how much of each of its pixels is covered, 0 to 1."""

    left: int
    top: int
    cover: Field

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the picture the patch lies on."""
        height, width = self.cover.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)

    def grid(self) -> tuple[Field, Field]:
        """Column and row of every pixel's middle, (1, width) and (height, 1): they broadcast."""
        height, width = self.cover.shape
        columns = np.arange(self.left, self.left + width, dtype=np.float32)[None, :] + np.float32(0.5)
        rows = np.arange(self.top, self.top + height, dtype=np.float32)[:, None] + np.float32(0.5)
        return columns, rows

    def within(self, other: "Patch") -> "Patch":
        """The part of this patch that lies on `other`."""
        height, width = self.cover.shape
        top, left = max(self.top, other.top), max(self.left, other.left)
        bottom = min(self.top + height, other.top + other.cover.shape[0])
        right = min(self.left + width, other.left + other.cover.shape[1])
        both = np.zeros_like(self.cover)
        if bottom > top and right > left:
            mine = (slice(top - self.top, bottom - self.top), slice(left - self.left, right - self.left))
            theirs = (slice(top - other.top, bottom - other.top), slice(left - other.left, right - other.left))
            both[mine] = self.cover[mine] * other.cover[theirs]
        return Patch(self.left, self.top, both)


def bounds(outlines: Sequence[Points], side: int) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom of the outlines in whole pixels, cut to the picture; None where nothing is left."""
    if not outlines:
        return None
    low = np.floor(np.min([outline.min(axis=0) for outline in outlines], axis=0)).astype(int) - 1
    high = np.ceil(np.max([outline.max(axis=0) for outline in outlines], axis=0)).astype(int) + 1
    left, top = max(int(low[0]), 0), max(int(low[1]), 0)
    right, bottom = min(int(high[0]), side), min(int(high[1]), side)
    return (left, top, right, bottom) if right > left and bottom > top else None


def fill(outlines: Sequence[Points], side: int, holes: Sequence[Points] = ()) -> Patch:
    """The area inside any of the outlines (pixels) less the holes, as a soft-edged patch."""
    box = bounds(outlines, side)
    if box is None:
        return Patch(0, 0, np.zeros((1, 1), np.float32))
    left, top, right, bottom = box
    big = Image.new("L", ((right - left) * SUPERSAMPLING, (bottom - top) * SUPERSAMPLING))
    pen = ImageDraw.Draw(big)
    for ink, areas in ((255, outlines), (0, holes)):
        for area in areas:
            # Pillow paints the pixels on the line too, half a fine pixel too much on each side.
            pen.polygon(((area - (left, top)) * SUPERSAMPLING - 0.5).ravel().tolist(), fill=ink)
    cover = np.asarray(big.reduce(SUPERSAMPLING), dtype=np.float32) / np.float32(255)
    return Patch(left, top, cover)


def blurred(field: Field, sigma: float) -> Field:
    """A Gaussian blur in floating point; zero is assumed outside.

    Wide blurs are computed on a coarser grid: the result has nothing finer than sigma to lose. Eight-bit blurs will not
    do here, their steps show as bands once slopes are taken.
    """
    step = max(1, int(sigma / 2.5))
    pad = int(3 * sigma / step + 1) * step
    height, width = field.shape
    padded = np.zeros(
        (height + 2 * pad + -(height + 2 * pad) % step, width + 2 * pad + -(width + 2 * pad) % step), np.float32
    )
    padded[pad : pad + height, pad : pad + width] = field
    coarse = np.asarray(Image.fromarray(padded).reduce(step)) if step > 1 else padded
    reach = np.arange(-int(3 * sigma / step + 1), int(3 * sigma / step + 1) + 1)
    kernel = np.exp(-0.5 * (reach * step / max(sigma, 1e-3)) ** 2)
    kernel /= kernel.sum()
    smooth = _along_rows(_along_rows(coarse, kernel).T, kernel).T
    if step == 1:
        return smooth[pad : pad + height, pad : pad + width]
    # Only the inner part is enlarged: `box` is the coarse grid without its border.
    inner = (pad / step, pad / step, (pad + width) / step, (pad + height) / step)
    small = Image.fromarray(np.ascontiguousarray(smooth))
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC, box=inner))


def _along_rows(field: Field, kernel: NDArray[np.float64]) -> Field:
    half = len(kernel) // 2
    padded = np.pad(field, ((half, half), (0, 0)))
    out = np.zeros_like(field)
    for n, weight in enumerate(kernel):
        out += np.float32(weight) * padded[n : n + len(field)]
    return out


def soft(field: Field, sigma: float) -> Field:
    """A fast eight-bit blur for shadows, which nobody takes slopes of."""
    picture = Image.fromarray((np.clip(field, 0, 1) * np.float32(255)).astype(np.uint8))
    size = picture.size
    step = int(min(sigma / 3, *size))
    if step > 1:
        picture = (
            picture.reduce(step).filter(ImageFilter.GaussianBlur(sigma / step)).resize(size, Image.Resampling.BILINEAR)
        )
    else:
        picture = picture.filter(ImageFilter.GaussianBlur(sigma))
    return np.asarray(picture, dtype=np.float32) / np.float32(255)


def smoothstep(low: float, high: float, field: Field) -> Field:
    """0 below `low`, 1 above `high`, an S-curve between."""
    t = np.clip((field - np.float32(low)) / np.float32(high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t))
