"""Pictures -> vectors: crop, look, name classes and colours, put together."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from backend.domain.picture import Pixels
from backend.embedding.packaged.class_space import ClassSpace, Floats, unit_rows
from backend.embedding.packaged.colour import colour_shares
from backend.embedding.packaged.cropping import centre_square
from backend.embedding.packaged.recipe import Recipe
from backend.embedding.precision import check_pictures
from backend.errors import ModelUnavailable

AT_ONCE = 8
"""Pictures per forward pass: enough to make the calls themselves cheap, few enough to stay near the processor.
Measured in bfloat16 with three threads on two cores, in turns, milliseconds of processor time a picture and pictures/s:
12.5 and 153 in fours, 11.5 and 165 in eights, 12.0 and 159 in sixteens. With `allocation.keep_freed_memory`, without
which sixteens take 3 ms more for page faults, and in a server eights 1 ms.
"""


class Tower(Protocol):
    """(n, 3, side, side) normalised pixels in float32 -> (n, channels, height, width) features in `dtype`."""

    @property
    def dtype(self) -> torch.dtype:
        """What it computes in."""
        ...

    def __call__(self, pixels: Tensor) -> Tensor:
        """No state is kept between calls."""
        ...


class PictureSide:
    """Pictures -> vectors. Keeps no state between calls, so threads need not wait for each other."""

    def __init__(self, *, tower: Tower, classes: ClassSpace, recipe: Recipe) -> None:
        self._tower, self._classes, self._recipe = tower, classes, recipe

    @property
    def dtype(self) -> torch.dtype:
        """What the network computes in."""
        return self._tower.dtype

    def vectors(self, pictures: Sequence[Pixels]) -> Floats:
        """(n, dimension) unit rows: [ looks | classes | colours ]."""
        try:
            return self._rows(pictures)
        except RuntimeError as err:  # torch's own word for having no memory
            raise ModelUnavailable(f"The picture network failed: {err}") from err

    def check_vectors(self) -> Floats:
        """Of the fixed pictures that precision is judged by. Raises torch's own errors."""
        return self._rows(check_pictures())

    def _rows(self, pictures: Sequence[Pixels]) -> Floats:
        rows = np.empty((len(pictures), self._recipe.dimension), dtype=np.float32)
        for start in range(0, len(pictures), AT_ONCE):
            rows[start : start + AT_ONCE] = self._batch(pictures[start : start + AT_ONCE])
        return rows

    def _batch(self, pictures: Sequence[Pixels]) -> Floats:
        recipe = self._recipe
        squares = np.stack([centre_square(p, side=recipe.side, crop=recipe.crop) for p in pictures])
        features, attention = self._look(squares)
        return np.hstack(
            [
                np.sqrt(recipe.looks_energy) * self._classes.looks(features),
                np.sqrt(recipe.class_energy) * self._classes.classes(features),
                np.sqrt(recipe.colour_energy) * unit_rows(np.sqrt(colour_shares(squares, attention))),
            ]
        )

    def _look(self, squares: Pixels) -> tuple[Floats, Floats]:
        """(n, side, side, 3) -> (n, 1280) features averaged over the picture, and (n, 9, 9) how much is where."""
        # NHWC in memory seen as NCHW is exactly torch's channels_last: nothing is copied but uint8 -> float.
        pixels = torch.from_numpy(squares).permute(0, 3, 1, 2)
        with torch.inference_mode():
            normalised = pixels.float().sub_(self._recipe.pixel_mean).div_(self._recipe.pixel_scale)
            where = self._tower(normalised).float()  # before the means: they are sums of many
            return where.mean(dim=(2, 3)).numpy(), where.mean(dim=1).numpy()
