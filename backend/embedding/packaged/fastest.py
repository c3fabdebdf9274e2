"""Which way of running the network is used on this machine: the fastest whose vectors are those of float32."""

from collections.abc import Callable

import torch

from backend.embedding.packaged.class_space import Floats
from backend.embedding.packaged.fused import FusedTower
from backend.embedding.packaged.network import FeatureTower
from backend.embedding.packaged.pictures import PictureSide, Tower
from backend.embedding.packaged.recipe import RECIPE
from backend.embedding.precision import agrees

SideWith = Callable[[Tower], PictureSide]
"""Builds the picture side around a tower."""


def fastest(exact: FeatureTower, side_with: SideWith, dtype: torch.dtype) -> PictureSide:
    """Fused in `dtype`, else fused in float32, else `exact` as it is. About .3 s, and a line in the log for each no."""
    plain = side_with(exact)
    # Whole vectors are compared, with colours and classes: they are what an index holds.
    expected = plain.check_vectors()
    for candidate in dict.fromkeys([dtype, torch.float32]):
        fused = _fused(exact, side_with, candidate, expected)
        if fused is not None:
            return fused
    return plain


def _fused(exact: FeatureTower, side_with: SideWith, dtype: torch.dtype, expected: Floats) -> PictureSide | None:
    built: list[PictureSide] = []

    def vectors() -> Floats:
        built.append(side_with(FusedTower(exact.blocks, dtype, RECIPE.side)))
        return built[0].check_vectors()

    what = f"the packaged encoder in {str(dtype).removeprefix('torch.')} through oneDNN"
    return built[0] if agrees(vectors, expected, what) else None
