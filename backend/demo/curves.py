"""Outlines: smooth curves, ellipses, tubes along a line. Points are (n, 2) or (n, 3) arrays in the product's own units.

A product's units run from -1 to 1 across the picture, x to the right, y up, z towards the viewer.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Points: TypeAlias = NDArray[np.float64]


STEPS = 10
"""Straight pieces between two places of a smooth line: two or three pixels each."""


def points(*pairs: Sequence[float]) -> Points:
    """Straight lines from point to point."""
    return np.array(pairs, dtype=np.float64)


def polygon(path: str) -> Points:
    """Straight lines through the places of a path such as "0,0.5 0.2,0.4" (the notation of SVG's points)."""
    return np.array([[float(number) for number in place.split(",")] for place in path.split()])


def sketch(path: str, *, closed: bool = False) -> Points:
    """A smooth line through the places of a path such as "0,0.5 0.2,0.4 0.3,0"."""
    return curve(*polygon(path), closed=closed)


def curve(*pairs: Sequence[float], closed: bool = False) -> Points:
    """A smooth line through the points (centripetal Catmull-Rom, which does not overshoot at short spans).

    Source of the spline: Yuksel, Schaefer, Keyser, "Parameterization and applications of Catmull-Rom curves", 2011.
    """
    p = np.array(pairs, dtype=np.float64)
    p = np.vstack([p[-1], p, p[:2]]) if closed else np.vstack([2 * p[0] - p[1], p, 2 * p[-1] - p[-2]])
    a, b, c, d = p[:-3], p[1:-2], p[2:-1], p[3:]
    ta = np.zeros((len(a), 1))
    tb = ta + _span(a, b)
    tc = tb + _span(b, c)
    td = tc + _span(c, d)
    t = tb[:, None] + (tc - tb)[:, None] * np.linspace(0, 1, STEPS, endpoint=False)[None, :, None]
    ta, tb, tc, td = ta[:, None], tb[:, None], tc[:, None], td[:, None]
    a, b, c, d = a[:, None], b[:, None], c[:, None], d[:, None]
    ab = a + (b - a) * (t - ta) / (tb - ta)
    bc = b + (c - b) * (t - tb) / (tc - tb)
    cd = c + (d - c) * (t - tc) / (td - tc)
    abc = ab + (bc - ab) * (t - ta) / (tc - ta)
    bcd = bc + (cd - bc) * (t - tb) / (td - tb)
    line: Points = (abc + (bcd - abc) * (t - tb) / (tc - tb)).reshape(-1, p.shape[1])
    return line if closed else np.vstack([line, p[-2]])


def _span(a: Points, b: Points) -> Points:
    lengths: Points = np.maximum(np.linalg.norm(b - a, axis=1, keepdims=True), 1e-9) ** 0.5
    return lengths


def join(*lines: Points) -> Points:
    """One outline of several lines; corners stand where they meet."""
    return np.vstack(lines)


def flipped(line: Points) -> Points:
    """The line seen in a mirror (x turned round)."""
    return np.asarray(line * np.array([-1.0, *([1.0] * (line.shape[1] - 1))]))


def both_sides(right: Points) -> Points:
    """A symmetric outline from its right half, given from the top of the middle to the bottom of the middle."""
    return np.vstack([right, flipped(right)[::-1]])


def ellipse(
    x: float, y: float, rx: float, ry: float, n: int = 72, *, arc: tuple[float, float] = (0.0, 360.0)
) -> Points:
    """An ellipse of n corners or, with `arc` in degrees (0 is right, 90 up), a piece of it."""
    t = np.radians(np.linspace(*arc, n, endpoint=arc[1] - arc[0] < 360))
    return np.stack([x + rx * np.cos(t), y + ry * np.sin(t)], axis=1)


def level(rx: float, rz: float, height: float, *, z: float = 0.0) -> Points:
    """A level ellipse in space round the product's upright axis (or `z` nearer to the viewer), (56, 3)."""
    ring = ellipse(0.0, z, rx, rz, 56)
    return np.stack([ring[:, 0], np.full(len(ring), height), ring[:, 1]], axis=1)


def rounded(x0: float, y0: float, x1: float, y1: float, radius: float, n: int = 8) -> Points:
    """A rectangle with round corners; (x0, y0) is its lower left."""
    r = min(radius, (x1 - x0) / 2, (y1 - y0) / 2)
    return join(
        ellipse(x1 - r, y1 - r, r, r, n, arc=(0, 90)),
        ellipse(x0 + r, y1 - r, r, r, n, arc=(90, 180)),
        ellipse(x0 + r, y0 + r, r, r, n, arc=(180, 270)),
        ellipse(x1 - r, y0 + r, r, r, n, arc=(270, 359.9)),
    )


def tube(line: Points, width: ArrayLike) -> Points:
    """The outline of a band of the given width (one number, or one per point) along a line in the plane."""
    along = np.gradient(line, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1) * (np.broadcast_to(width, len(line)) / 2)[:, None]
    return np.vstack([line + across, (line - across)[::-1]])


def moved(line: Points, x: float = 0.0, y: float = 0.0, scale: float = 1.0, degrees: float = 0.0) -> Points:
    """The line turned by `degrees` against the clock, scaled, then shifted; in the plane."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.asarray(line @ np.array([[c, s], [-s, c]]) * scale + np.array([x, y]))


def hull(cloud: Points) -> Points:
    """The convex outline round a cloud of points in the plane (Andrew's monotone chain, 1979)."""
    ordered = sorted(map(tuple, cloud.tolist()))
    chains: list[list[tuple[float, float]]] = []
    for run in (ordered, ordered[::-1]):
        chain: list[tuple[float, float]] = []
        for x, y in run:
            while len(chain) > 1 and _turns_right(chain[-2], chain[-1], (x, y)):
                chain.pop()
            chain.append((x, y))
        chains.append(chain[:-1])
    return np.array(chains[0] + chains[1])


def _turns_right(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) <= 0
