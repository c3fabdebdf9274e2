"""Round rods and cords in space: legs, poles, handles, spouts."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from backend.demo.camera import FRONT
from backend.demo.curves import Points, ellipse, tube
from backend.demo.light import Normals, raised
from backend.demo.materials import Paint
from backend.demo.raster import fill
from backend.demo.studio import Studio


def cord(
    studio: Studio, line: Points, width: ArrayLike, paint: Paint, *, lift: float = 0.0, round_start: bool = False
) -> None:
    """A round cord along a line in space, (n, 3). `width` is one number or one per point."""
    seen = studio.camera.project(line)
    wide = np.broadcast_to(np.asarray(width, dtype=np.float64), len(seen)) * studio.camera.unit
    outlines = [tube(seen, wide)]
    if round_start:
        outlines.append(ellipse(seen[0][0], seen[0][1], wide[0] / 2, wide[0] / 2, 32))
    patch = fill(outlines, studio.side)
    if lift:
        studio.cast(patch, lift)
    normals = raised(patch.cover, FRONT.normal, float(wide.max()) / 2, 1.0, None)
    columns, rows = patch.grid()
    unit = np.float32(studio.camera.unit)
    albedo = paint.albedo((columns - patch.left) / unit, (rows - patch.top) / unit, 1 / studio.camera.unit)
    studio.lay(patch, albedo, normals, paint.finish)


def rod(studio: Studio, start: Sequence[float], end: Sequence[float], width: tuple[float, float], paint: Paint) -> None:
    """A straight, round rod between two places in space, tapering from the first width to the second."""
    foot, tip = studio.camera.project(np.array([start, end], dtype=np.float64))
    unit = studio.camera.unit
    length = max(float(np.linalg.norm(tip - foot)), 1e-6)
    along = (tip - foot) / length
    across = np.array([-along[1], along[0]])
    a, b = across * width[0] / 2 * unit, across * width[1] / 2 * unit
    cap = ellipse(tip[0], tip[1], width[1] / 2 * unit, width[1] / 2 * unit * 0.6, 24)
    patch = fill([np.array([foot + a, tip + b, tip - b, foot - a]), cap], studio.side)
    columns, rows = patch.grid()
    side = ((columns - foot[0]) * across[0] + (rows - foot[1]) * across[1]) / np.float32(unit)
    far = ((columns - foot[0]) * along[0] + (rows - foot[1]) * along[1]) / np.float32(unit)
    half = np.maximum(width[0] + (width[1] - width[0]) * np.clip(far * (unit / length), 0, 1), 0.004) / 2
    # A rod of a few pixels is too thin for its whole curve: single pixels would sparkle.
    bend = np.clip(side / half, -1, 1) * np.float32(min(1.0, width[0] * unit / 9))
    z = np.sqrt(np.maximum(1 - bend * bend, 0.0))
    normals = Normals(bend * np.float32(across[0]), -bend * np.float32(across[1]), z)
    studio.lay(patch, paint.albedo(side * 0.5, far, 1 / unit), normals, paint.finish)
