"""Boxes and cushions in space: seats, backs, arms. A cushion is a box with generously rounded edges."""

from collections.abc import Sequence

import numpy as np

from backend.demo.camera import Frame
from backend.demo.curves import Points, ellipse, hull, rounded
from backend.demo.materials import Paint
from backend.demo.raster import Patch, fill
from backend.demo.studio import Relief, Studio

FACES = (
    ((0, 0, 1), (1, 0, 0), (0, 1, 0)),
    ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
    ((-1, 0, 0), (0, 0, 1), (0, 1, 0)),
    ((0, 1, 0), (1, 0, 0), (0, 0, -1)),
)
"""Front, right, left, top: outward direction and the face's own x and y. Nobody sees a chair's underside here."""


def block(
    studio: Studio, low: Sequence[float], high: Sequence[float], paint: Paint, *,
    rounding: float = 0.03, puff: float = 1.0, lean: float = 0.0, lift: float = 0.0, relief: Relief | None = None,
) -> Patch:  # fmt: skip
    """A box between two corners in space, leaning back by `lean` degrees about its own middle; product units.

    The silhouette is that of eight spheres in the corners: a box with round edges all about. Returns it.
    """
    middle = (np.array(low) + np.array(high)) / 2
    half = (np.array(high) - np.array(low)) / 2
    c, s = np.cos(np.radians(lean)), np.sin(np.radians(lean))
    axes = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])  # rows: where the box's own x, y, z point
    unit = studio.camera.unit
    ball = min(rounding, *(half * 0.98))
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * (half - ball) @ axes + middle
    seen = studio.camera.project(corners)
    silhouette = fill([hull(np.vstack([ellipse(x, y, ball * unit, ball * unit, 20) for x, y in seen]))], studio.side)
    if lift:
        studio.cast(silhouette, lift)
    # Under the faces, so that the soft edges where two of them meet do not let the background through.
    studio.lay_flat(silhouette, paint.plain().tinted(0.85))
    faces: list[tuple[float, Frame, Points]] = []
    for outward, right, up in FACES:
        toward = float(studio.camera.facing(np.array(outward) @ axes)[2])
        if toward > 0.02:
            w, h = abs(float(np.dot(right, half))), abs(float(np.dot(up, half)))
            frame = Frame(_triple(middle + outward * half @ axes), _triple(right @ axes), _triple(up @ axes))
            faces.append((toward, frame, rounded(-w, -h, w, h, ball * 0.4)))
    for _, frame, outline in sorted(faces, key=lambda face: face[0]):
        studio.part(outline, paint, frame=frame, rounding=rounding, puff=puff, relief=relief, clip=silhouette)
    return silhouette


def _triple(values: Points) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z
