"""Which colours a product has, as shares of eleven names, with the background left out.

Nameable colours instead of a plain histogram: words can ask for them, and the same red under two lamps stays red
(van de Weijer et al., Learning Color Names for Real-World Applications, IEEE TIP 2009, is the idea's source; here the
names are set by hand in `colour_shades` instead of learned). Everything works on a whole batch at once: a Python loop
over pixels would hold the interpreter's lock and starve the threads that answer requests.
"""

from dataclasses import asdict, dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional

from backend.domain.picture import Pixels
from backend.embedding.packaged.class_space import Floats
from backend.embedding.packaged.colour_shades import SHADES
from backend.embedding.packaged.recipe import COLOUR_NAMES


@dataclass(frozen=True, slots=True)
class ColourRecipe:
    """The numbers of the colour part; changing any makes a new vector space."""

    side: int = 72
    """Eight pixels for each cell of the network's 9x9 map: enough for colours, a thirteenth of the pixels."""

    naming_sigma: float = 9.0
    """Lab distance at which a shade belongs to a name .6 as much as the name's own prototype; a just noticeable
    difference is about 2.3."""

    naming_lightness: float = 0.8
    """Lightness counts less than hue when naming: a fold's shadow keeps its name."""

    background_lightness: float = 0.6
    """And less still when comparing with the background: its shadows and lit parts are background too."""

    background_distance: float = 14.0
    """Lab distance from the background at which a pixel is about two thirds product."""

    background_share: float = 0.1
    """A colour on less of the border than this is a product that touches the edge, not background."""

    centre_sigma: float = 0.45
    """Of the Gaussian around the middle, in half sides: products are photographed in the middle."""

    floor: float = 1e-3
    """Weight that is left to everything, for pictures that are one colour from edge to edge."""


COLOUR_RECIPE = ColourRecipe()

_BITS = 5
_LEVELS = 1 << _BITS
"""32 levels a channel: a table of 32,768 colours stands in for a million computations of Lab per batch."""

_BORDER = 4
"""Pixels of the border that are taken for background: a twentieth of the side."""

_CLUSTERS = 3
_ROUNDS = 5
"""k-means over the border: floor, wall and one more, in as many rounds as it needs to settle on so few."""


def colour_shares(squares: Pixels, attention: Floats, recipe: ColourRecipe = COLOUR_RECIPE) -> Floats:
    """(n, side, side, 3) uint8 and (n, 9, 9) attention of the network -> (n, 11) shares summing to 1.

    A pixel counts by three opinions multiplied: the network's attention (its features' mean), its distance from the
    border's colours, and its nearness to the middle. Each alone names the product's main colour less often.
    """
    colours = _table_positions(_reduced(squares, recipe.side))
    weights = _enlarged(_stretched(attention), recipe.side) * _foreground(colours, recipe)
    weights = (weights + recipe.floor) * _centre(recipe.side, recipe.centre_sigma)
    sums = _weighted_sums(_naming_table(recipe), colours, weights)
    shares: Floats = sums / sums.sum(axis=1, keepdims=True)
    return shares


def colour_settings() -> dict[str, object]:
    """Everything that decides the colour part, for the fingerprint."""
    return {"recipe": asdict(COLOUR_RECIPE), "shades": SHADES, "names": COLOUR_NAMES}


def _reduced(squares: Pixels, side: int) -> Pixels:
    # Box: each pixel is the plain mean of what it covers; sharper filters invent colours at edges.
    return np.stack([np.asarray(Image.fromarray(s).resize((side, side), Image.Resampling.BOX)) for s in squares])


def _table_positions(squares: Pixels) -> NDArray[np.int32]:
    """(n, side, side, 3) -> (n, side * side) positions in the tables of 32 x 32 x 32 colours."""
    levels = squares.reshape(len(squares), -1, 3).astype(np.int32) >> (8 - _BITS)
    positions: NDArray[np.int32] = (levels[..., 0] << 2 * _BITS) | (levels[..., 1] << _BITS) | levels[..., 2]
    return positions


def _stretched(attention: Floats) -> Floats:
    """Each map from 0 (its least attended cell) to 1 (its most)."""
    low = attention.min(axis=(1, 2), keepdims=True)
    span = attention.max(axis=(1, 2), keepdims=True) - low
    # A flat map (a blank picture) attends everywhere alike; without the floor it would divide by zero.
    return np.where(span > np.finfo(np.float32).eps, (attention - low) / np.maximum(span, 1e-6), 1).astype(np.float32)


def _enlarged(maps: Floats, side: int) -> Floats:
    repeats = side // maps.shape[1]
    return maps.repeat(repeats, axis=1).repeat(repeats, axis=2).reshape(len(maps), -1)


def _weighted_sums(table: Floats, positions: NDArray[np.int32], weights: Floats) -> Floats:
    """(c, k) table, (n, p) positions in it and weights -> (n, k) sums of the rows at the positions.

    The sum over rows, not a gathered copy of them and a product: a fifth of the time.
    """
    with torch.inference_mode():
        sums: Floats = functional.embedding_bag(
            torch.from_numpy(positions),
            torch.from_numpy(table),
            per_sample_weights=torch.from_numpy(weights),
            mode="sum",
        ).numpy()
    return sums


def _foreground(colours: NDArray[np.int32], recipe: ColourRecipe) -> Floats:
    """(n, pixels) table positions -> (n, pixels): 0 for a colour of the border, towards 1 with distance from them."""
    # One plane a channel, here and below: numpy computes along the last axis, and three numbers are too few for it.
    # take, not an index: that would lay the channels side by side in memory again.
    lab = np.take(_background_planes(recipe.background_lightness), colours, axis=1)
    centres, shares = _clusters(np.take(lab, _border_pixels(recipe.side), axis=2))
    squared = _squared_distances(lab, centres)
    squared[shares <= recipe.background_share] = np.inf
    apart: Floats = 1 - np.exp(squared.min(axis=0) / np.float32(-(recipe.background_distance**2)))
    return apart


def _clusters(points: Floats) -> tuple[Floats, Floats]:
    """k-means of each picture's border at once: (3, n, m) -> (3, k, n) centres and (k, n) shares of the points.

    Seeded by quantiles of lightness, not by chance: the same picture must give the same vector.
    """
    count = points.shape[2]
    by_lightness = np.argsort(points[0], axis=1, kind="stable")
    quantiles = by_lightness[:, [count * (2 * k + 1) // (2 * _CLUSTERS) for k in range(_CLUSTERS)]]
    centres = np.take_along_axis(points, quantiles[None], axis=2).swapaxes(1, 2)
    nearest = np.full(points.shape[1:], -1, dtype=np.intp)
    members = np.zeros((_CLUSTERS, *points.shape[1:]), dtype=np.float32)
    for _ in range(_ROUNDS):
        before, nearest = nearest, _squared_distances(points, centres).argmin(axis=0)
        if np.array_equal(nearest, before):
            break
        members = (nearest == np.arange(_CLUSTERS)[:, None, None]).astype(np.float32)
        sizes = members.sum(axis=2)
        # einsum, not matmul: see class_space.product on the threads of numpy's BLAS.
        means = np.einsum("knm,cnm->ckn", members, points) / np.maximum(sizes, 1)
        centres = np.where(sizes > 0, means, centres)
    return centres, members.mean(axis=2)


def _squared_distances(points: Floats, centres: Floats) -> Floats:
    """(3, n, m), (3, k, n) -> (k, n, m)."""
    differences = points[:, None] - centres[..., None]
    differences *= differences
    distances: Floats = differences.sum(axis=0)
    return distances


@cache
def _border_pixels(side: int) -> NDArray[np.intp]:
    border = np.ones((side, side), dtype=bool)
    border[_BORDER:-_BORDER, _BORDER:-_BORDER] = False
    return np.flatnonzero(border)


@cache
def _centre(side: int, sigma: float) -> Floats:
    offsets = (np.arange(side) - (side - 1) / 2) / (side / 2)
    squared = offsets[:, None] ** 2 + offsets[None, :] ** 2
    weights: Floats = np.exp(-squared / (2 * sigma**2)).reshape(-1).astype(np.float32)
    return weights


@cache
def _lab_table() -> Floats:
    """(32768, 3): Lab of the middle of each cell of RGB."""
    middles = (np.arange(_LEVELS) * 2 + 1) * (256 // _LEVELS) // 2
    grid = np.stack(np.meshgrid(middles, middles, middles, indexing="ij"), axis=-1).reshape(-1, 3)
    return _lab(grid)


@cache
def _background_planes(lightness: float) -> Floats:
    """(3, 32768): the same, one row a channel, lightness scaled for the comparison with the background."""
    return np.ascontiguousarray(_lab_table().T) * np.array([[lightness], [1], [1]], dtype=np.float32)


@cache
def _naming_table(recipe: ColourRecipe) -> Floats:
    """(32768, 11): how much each colour belongs to each name; rows sum to 1."""
    scale = np.array([recipe.naming_lightness, 1, 1], dtype=np.float32)
    colours = _lab_table() * scale
    nearest = np.empty((len(colours), len(COLOUR_NAMES)), dtype=np.float64)
    for column, name in enumerate(COLOUR_NAMES):
        shades = _lab(np.array([[int(shade[i : i + 2], 16) for i in (1, 3, 5)] for shade in SHADES[name]])) * scale
        nearest[:, column] = _squared_distances(colours.T[:, None], shades.T[:, :, None])[:, 0].min(axis=0)
    # Taken off before the exponential: a colour far from every prototype still belongs to the nearest name.
    belonging = np.exp(-(nearest - nearest.min(axis=1, keepdims=True)) / (2 * recipe.naming_sigma**2))
    table: Floats = (belonging / belonging.sum(axis=1, keepdims=True)).astype(np.float32)
    return table


def _lab(rgb: NDArray[np.integer]) -> Floats:
    """Values of sRGB, 0 to 255 -> CIE Lab under D65 (IEC 61966-2-1 for the curve and the primaries, CIE 15 for Lab)."""
    value = rgb / 255
    curved = value > 0.04045  # noqa: PLR2004 (the standard's own number)
    linear = np.where(curved, ((value + 0.055) / 1.055) ** 2.4, value / 12.92)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    relative = linear @ (to_xyz / to_xyz.sum(axis=1, keepdims=True)).T  # white becomes 1, 1, 1
    cutoff, slope = (6 / 29) ** 3, (29 / 6) ** 2 / 3
    x, y, z = np.moveaxis(np.where(relative > cutoff, np.cbrt(relative), relative * slope + 4 / 29), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1).astype(np.float32)
