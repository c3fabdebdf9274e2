"""Pictures -> vectors: crop, look, name classes and colours, put together."""

from collections.abc import Sequence

import numpy as np
import torch

from backend.domain.picture import Pixels
from backend.embedding.packaged.class_space import ClassSpace, Floats, unit_rows
from backend.embedding.packaged.colour import colour_shares
from backend.embedding.packaged.cropping import centre_square
from backend.embedding.packaged.network import FeatureTower
from backend.embedding.packaged.recipe import Recipe
from backend.errors import ModelUnavailable

_BATCH = 4
"""Pictures per forward pass. The largest map of four takes 26 MB; beyond 32 MB glibc gives every map back to the
kernel and gets it page by page again (mallopt(3), M_MMAP_THRESHOLD). Measured on two cores: 67 pictures/s in fours
with no page fault, 58 in eights with 3,200 faults a picture, 37 in sixteens with 7,300."""


class PictureSide:
    """Pictures -> vectors. Keeps no state between calls, so threads need not wait for each other."""

    def __init__(self, *, tower: FeatureTower, classes: ClassSpace, recipe: Recipe) -> None:
        self._tower, self._classes, self._recipe = tower, classes, recipe

    def vectors(self, pictures: Sequence[Pixels]) -> Floats:
        """(n, dimension) unit rows: [ looks | classes | colours ]."""
        rows = np.empty((len(pictures), self._recipe.dimension), dtype=np.float32)
        for start in range(0, len(pictures), _BATCH):
            rows[start : start + _BATCH] = self._batch(pictures[start : start + _BATCH])
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
        try:
            with torch.inference_mode():
                normalised = (pixels.float() - self._recipe.pixel_mean) / self._recipe.pixel_scale
                where = self._tower(normalised)
                return where.mean(dim=(2, 3)).numpy(), where.mean(dim=1).numpy()
        except RuntimeError as err:  # torch's own word for having no memory
            raise ModelUnavailable(f"The picture network failed: {err}") from err
