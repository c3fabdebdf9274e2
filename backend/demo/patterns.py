"""Printed and woven patterns: for every place of a surface, how much of the second colour shows there, 0 to 1.

Coordinates are the surface's own, in product units (a T-shirt is about 1.6 wide). Every edge is softened by about one
pixel, so that nothing flickers between the views of a product.
"""

from collections.abc import Callable, Mapping

import numpy as np

from backend.demo.raster import Field, smoothstep

Pattern = Callable[[Field, Field, float], Field]


def _wave(x: Field, period: float) -> Field:
    """Distance from the middle of the nearest line, 0 to period / 2."""
    return np.asarray(np.abs(x - period * np.round(x / period)))


def _lines(x: Field, period: float, width: float, pixel: float) -> Field:
    return np.asarray(1 - smoothstep(width / 2 - pixel, width / 2 + pixel, _wave(x, period)))


def striped(u: Field, v: Field, pixel: float) -> Field:
    """Stripes across; the first colour keeps the larger share, so that the product is still called by it."""
    return _lines(v, 0.19, 0.07, pixel) + 0 * u


def pinstriped(u: Field, v: Field, pixel: float) -> Field:
    """Narrow stripes down."""
    return _lines(u, 0.11, 0.022, pixel) + 0 * v


def checked(u: Field, v: Field, pixel: float) -> Field:
    """Gingham: both ways at half strength, full where the stripes cross."""
    return np.asarray(0.5 * _lines(u, 0.2, 0.095, pixel) + 0.5 * _lines(v, 0.2, 0.095, pixel))


def dotted(u: Field, v: Field, pixel: float) -> Field:
    """Dots in a staggered grid."""
    row = np.round(v / 0.105)
    far = np.sqrt(_wave(np.asarray(u + 0.0606 * (row % 2), np.float32), 0.1212) ** 2 + (v - row * 0.105) ** 2)
    return np.asarray(1 - smoothstep(0.028 - pixel, 0.028 + pixel, far))


def floral(u: Field, v: Field, pixel: float) -> Field:
    """Five-petalled flowers, turned and pushed out of their grid by a fixed rule; their hearts show the cloth."""
    cell = 0.23
    row = np.floor(v / cell)
    column = np.floor(u / cell + 0.5 * (row % 2))
    turn = (column * 2.3 + row * 3.7) % 6.2832
    x = (u / cell + 0.5 * (row % 2) - column - 0.5) * cell + 0.03 * np.sin(turn * 5)
    y = (v / cell - row - 0.5) * cell + 0.03 * np.cos(turn * 7)
    far = np.sqrt(x * x + y * y)
    petal = 0.045 + 0.027 * np.cos(5 * np.arctan2(y, x) + turn)
    flower = 1 - smoothstep(-pixel, pixel, far - petal)
    heart = 1 - smoothstep(0.017 - pixel, 0.017 + pixel, far)
    return np.asarray(flower * (1 - heart))


def zigzag(u: Field, v: Field, pixel: float) -> Field:
    """Chevrons across."""
    return _lines(v + 0.6 * _wave(u, 0.2), 0.16, 0.055, pixel)


def banded(u: Field, v: Field, pixel: float) -> Field:
    """One broad band across the middle."""
    return np.asarray(1 - smoothstep(0.15 - pixel, 0.15 + pixel, np.abs(v)) + 0 * u)


def dipped(u: Field, v: Field, pixel: float) -> Field:
    """The lower part in the second colour, as potters dip a foot into a second glaze."""
    edge = np.asarray(v + 0.012 * np.sin(u * 9) + 0.008 * np.sin(u * 23), np.float32)
    return np.asarray(1 - smoothstep(-0.24 - pixel, -0.24 + pixel, edge))


def faded(u: Field, v: Field, pixel: float) -> Field:
    """A slow change from the first colour at the top (v = 1) to the second at the bottom (v = -1): tinted lenses."""
    return np.asarray(1 - smoothstep(-1.0, 1.0, v) + 0 * u + 0 * pixel)


def burst(u: Field, v: Field, pixel: float) -> Field:
    """The second colour all round the edge (distance 1 from the middle): a guitar's sunburst."""
    return np.asarray(smoothstep(0.45, 1.1, np.sqrt(u * u + v * v)) + 0 * pixel)


PATTERNS: Mapping[str, Pattern] = {
    "striped": striped,
    "pinstriped": pinstriped,
    "checked": checked,
    "dotted": dotted,
    "floral": floral,
    "zigzag": zigzag,
    "banded": banded,
    "dipped": dipped,
    "faded": faded,
    "burst": burst,
}
"""Patterns by the name the catalog gives them. `plain` and `two-tone` (parts in the second colour) need no texture."""
