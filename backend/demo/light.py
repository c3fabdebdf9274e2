"""Light of a small photo studio: a big soft box on the left above, a strip light on the right, a pale room all round.

Colours are linear here (twice the light is twice the number); `to_linear` and `to_screen` use gamma 2, which is close
to sRGB and costs one square root.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from backend.demo.curves import Points
from backend.demo.raster import Colours, Field, blurred, smoothstep


class Normals(NamedTuple):
    """Which way the surface faces at each pixel, as the viewer sees it; unit length."""

    x: Field
    y: Field
    z: Field


@dataclass(frozen=True, slots=True)
class Finish:
    """How a surface answers to light.

    `gloss` is how strongly lamps are mirrored (0 cloth, 1 glaze), `blur` how soft their edges are (0.05 glaze, 0.6
    satin), `metal` how far the mirror takes the surface's colour and replaces its own light, `fuzz` the pale rim of
    cloth seen along its surface, `grain` how uneven the surface is.
    """

    gloss: float = 0.0
    blur: float = 0.3
    metal: float = 0.0
    fuzz: float = 0.0
    grain: float = 0.0


@dataclass(frozen=True, slots=True)
class Light:
    """Where the soft box stands (`aside`: -1 far left, 1 far right), how hard the contrast, how warm the lamps are."""

    aside: float = -0.55
    contrast: float = 1.0
    warmth: float = 0.0

    @property
    def key(self) -> tuple[float, float, float]:
        """Towards the soft box, unit length."""
        x, y, z = self.aside, 0.8, 0.56
        length = (x * x + y * y + z * z) ** 0.5
        return x / length, y / length, z / length


def to_linear(rgb: tuple[float, float, float]) -> tuple[float, float, float]:
    """A screen colour, 0 to 255, as linear light, 0 to 1."""
    r, g, b = ((value / 255) ** 2 for value in rgb)
    return r, g, b


def planes(rgb: Sequence[float]) -> Colours:
    """One colour in the form that goes with fields: (3, 1, 1)."""
    return np.array(rgb, np.float32).reshape(3, 1, 1)


def to_screen(linear: Field) -> Field:
    """Linear light as screen values 0 to 255; what is brighter than paper fades softly instead of clipping."""
    knee = np.float32(0.82)
    over = np.maximum(linear - knee, 0)
    over *= (1 - knee) / (over + (1 - knee))
    over += np.minimum(linear, knee)
    return np.asarray(np.sqrt(over) * np.float32(255))


def flat(normal: Points) -> Normals:
    """One direction for a whole flat face."""
    x, y, z = (np.full((1, 1), value, np.float32) for value in normal)
    return Normals(x, y, z)


def raised(cover: Field, facing: Points, rounding: float, puff: float, relief: Field | None) -> Normals:
    """The normals of a face whose edges are rounded over `rounding` pixels, plus a relief (heights in pixels).

    The blurred mask runs from one half at the edge to one inside; a quarter circle over that is a rounded edge.
    """
    height: Field = np.zeros_like(cover)
    if rounding > 0.3:
        t = np.clip(2 * blurred(cover, rounding / 2) - 1, 0.0, 1.0)
        # The small number keeps the very edge from standing upright, where single pixels would sparkle.
        height += np.float32(rounding * puff) * np.sqrt(t * (2 - t) + np.float32(0.03))
    if relief is not None:
        height = height + relief
    down, across = np.gradient(height) if min(height.shape) > 1 else (np.zeros_like(height), np.zeros_like(height))
    # The slope leans the face's own normal; the face's tilt itself stays.
    x = np.float32(facing[0]) - np.clip(across, -4, 4) * np.float32(abs(facing[2]))
    y = np.float32(facing[1]) + np.clip(down, -4, 4) * np.float32(abs(facing[2]))
    z = np.full_like(x, max(float(facing[2]), 0.05))
    length = np.sqrt(x * x + y * y + z * z)
    return Normals(x / length, y / length, z / length)


def lit(albedo: Colours, normals: Normals, finish: Finish, light: Light) -> Colours:
    """The surface's colour, linear (3, height, width), under the studio's lamps."""
    diffuse = _diffuse(normals, finish, light)
    mirrored = _mirrored(normals, finish, light) if finish.gloss else np.float32(0)
    if finish.metal:
        own = albedo * (diffuse * np.float32(1 - finish.metal) + mirrored * np.float32(0.95 * finish.metal))
        shine = mirrored * np.float32(0.14 * finish.gloss * (1 - finish.metal))
    else:
        edge = np.float32(1) - np.maximum(normals.z, 0)
        # Schlick's approximation of Fresnel: everything mirrors at a grazing look.
        share = np.float32(finish.gloss) * (np.float32(0.04) + np.float32(0.42) * edge**4)
        own = albedo * diffuse * (1 - share)
        shine = mirrored * share * np.float32(2.2)
    if finish.fuzz:
        rim = (1 - np.maximum(normals.z, 0)) ** 2
        own = own + (albedo * np.float32(0.6) + np.float32(0.4) * albedo.max(axis=0)) * (rim * np.float32(finish.fuzz))
    tint = planes((1 + 0.05 * light.warmth, 1.0, 1 - 0.06 * light.warmth))
    return np.asarray((own + shine) * tint)


def _diffuse(n: Normals, finish: Finish, light: Light) -> Field:
    kx, ky, kz = light.key
    wrap = 0.35 if finish.fuzz else 0.18
    key = np.maximum((n.x * kx + n.y * ky + n.z * kz + wrap) / (1 + wrap), 0)
    fill = np.maximum(-n.x * kx * 0.9 + n.z * 0.45 + 0.1, 0)
    # The white table sends light back up, so undersides are grey, not black.
    room = 0.62 + 0.26 * n.y + 0.12 * n.y * n.y
    hard = 0.62 * light.contrast
    facing = (kz + wrap) / (1 + wrap)
    total = hard * key + 0.3 * fill + 0.42 * room
    whole = hard * facing + 0.3 * 0.55 + 0.42 * 0.62
    return np.asarray(total / whole * 1.03, dtype=np.float32)


def _mirrored(n: Normals, finish: Finish, light: Light) -> Field:
    """What the surface mirrors: the soft box, the strip light, the pale room above and the darker table below."""
    across = 2 * np.arctan2(n.x, n.z)  # where the mirrored ray goes: 0 back to the viewer, pi straight away from him
    above = 2 * n.z * n.y
    edge = 0.04 + finish.blur * 0.55
    aim = float(np.arctan2(light.aside, 0.75)) * 1.55
    box = _band(across, aim - 0.42, aim + 0.3, edge) * _band(above, -0.42, 0.93, edge)
    strip = _band(across, -aim + 0.55, -aim + 0.8, edge) * _band(above, -0.6, 0.8, edge)
    room = 0.1 + 0.24 * smoothstep(-0.5, 0.9, above)
    if finish.metal:
        # Metal without dark cards beside it looks like grey paint.
        dark = _band(across, aim + 0.45, aim + 1.0, 0.35) + _band(across, -aim + 1.1, 2.4, 0.4)
        room = room + 0.5 - 0.4 * np.minimum(dark, 1)
    return np.asarray(room + 3.4 * box + 1.5 * strip, dtype=np.float32)


def _band(field: Field, low: float, high: float, edge: float) -> Field:
    return smoothstep(low - edge, low + edge, field) * (1 - smoothstep(high - edge, high + edge, field))
