"""Turned solids: whatever a lathe or a potter's wheel makes (mugs, vases, bottles, lamp bases, hat crowns).

A solid is drawn as a stack of discs from the bottom up. Seen from above, the topmost disc over a pixel is the first one
the line of sight meets, so painting each disc's number over the lower ones leaves the visible one at every pixel. From
it follow the height, the radius, the angle round the axis and the normal: exact curved patterns and highlights without
a mesh. It holds for a camera that does not look up (`pitch` of 0 or more).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from backend.demo.camera import DISTANCE
from backend.demo.curves import Points, ellipse, level
from backend.demo.light import Normals
from backend.demo.materials import Paint
from backend.demo.raster import SUPERSAMPLING, Colours, Field, Patch, bounds, fill
from backend.demo.studio import Studio

RINGS = 110
"""Discs in a stack: one for every two or three pixels of a tall product."""

CORNERS = 56
"""Corners of a drawn disc."""


class Surface(NamedTuple):
    """What is visible of a solid: its pixels, for each the place along the profile (in discs), and what follows."""

    patch: Patch
    place: Field
    height: Field
    angle: Field
    radius: Field
    normals: Normals


Relight: TypeAlias = Callable[[Surface, Colours], Colours]
"""Changes a solid's colours with the place on it."""


class Lathe:
    """A profile, (n, 2) of radius and height from the bottom up, turned about the product's upright axis."""

    def __init__(self, profile: Points) -> None:
        length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(profile, axis=0), axis=1))])
        where = np.linspace(0, length[-1], RINGS)
        self.radius = np.interp(where, length, profile[:, 0])
        self.height = np.interp(where, length, profile[:, 1])

    def discs(self) -> Points:
        """Every disc's edge in space, (RINGS * CORNERS, 3)."""
        ring = ellipse(0, 0, 1, 1, CORNERS)
        x, z = self.radius[:, None] * ring[:, 0], self.radius[:, None] * ring[:, 1]
        return np.stack([x, np.broadcast_to(self.height[:, None], x.shape), z], axis=-1).reshape(-1, 3)


def surface(studio: Studio, lathe: Lathe) -> Surface:
    """The visible surface of a solid."""
    camera = studio.camera
    rings = camera.project(lathe.discs()).reshape(RINGS, CORNERS, 2)
    box = bounds([rings.reshape(-1, 2)], studio.side)
    if box is None:
        patch = fill([], studio.side)
        nothing = patch.cover
        return Surface(patch, nothing, nothing, nothing, nothing, Normals(nothing, nothing, nothing + 1))
    left, top, right, bottom = box
    shape = (right - left, bottom - top)
    mask = Image.new("L", (shape[0] * SUPERSAMPLING, shape[1] * SUPERSAMPLING))
    stack = Image.new("F", shape, -1.0)
    mask_pen, stack_pen = ImageDraw.Draw(mask), ImageDraw.Draw(stack)
    middles = rings.mean(axis=1, keepdims=True)
    # The stack is drawn a pixel too large, so that soft edge pixels have a height too.
    spans = np.maximum(np.linalg.norm(rings - middles, axis=2, keepdims=True), 1e-6)
    wider = middles + (rings - middles) * (1 + 1.2 / spans)
    fine = (rings - (left, top)) * SUPERSAMPLING - 0.5
    coarse = wider - (left, top) - 0.5
    # Between two discs their widest points are joined, or a slope's outline would be a comb.
    edges = [_joined(grid) for grid in (fine, coarse)]
    discs = [grid.reshape(RINGS, -1).tolist() for grid in (fine, coarse)]
    for n in range(RINGS):
        for piece in (discs, edges):
            mask_pen.polygon(piece[0][n], fill=255)
            stack_pen.polygon(piece[1][n], fill=float(n))
    patch = Patch(left, top, np.asarray(mask.reduce(SUPERSAMPLING), dtype=np.float32) / np.float32(255))
    return _from_stack(studio, lathe, patch, np.asarray(stack, dtype=np.float32))


def _joined(rings: Points) -> list[list[float]]:
    """For each disc the four-cornered piece between its widest points and the next disc's; (RINGS, CORNERS, 2) in."""
    every = np.arange(RINGS)
    left, right = rings[every, rings[:, :, 0].argmin(axis=1)], rings[every, rings[:, :, 0].argmax(axis=1)]
    following = np.minimum(every + 1, RINGS - 1)
    pieces: list[list[float]] = np.hstack([left, right, right[following], left[following]]).tolist()
    return pieces


def _from_stack(studio: Studio, lathe: Lathe, patch: Patch, stack: Field) -> Surface:
    """Heights, angles and normals from the number of the disc seen at each pixel."""
    place, across, radius = _places(studio, lathe, patch, stack)
    # Slopes from a smoothed profile: a hard corner in it is a narrow round edge in any real product.
    out = np.convolve(np.pad(np.gradient(lathe.height), 2, mode="edge"), np.ones(5) / 5, mode="valid")
    up = -np.convolve(np.pad(np.gradient(lathe.radius), 2, mode="edge"), np.ones(5) / 5, mode="valid")
    length = np.maximum(np.hypot(out, up), 1e-9)
    sine = np.clip(across / np.maximum(radius, 1e-4), -1, 1)
    cosine: Field = np.sqrt(np.maximum(1 - sine * sine, np.float32(0)))
    # The front of a turned solid faces any yaw, so only the pitch turns the normals (rolls are a few degrees).
    tilt = np.radians(studio.camera.pitch)
    c, s = np.float32(np.cos(tilt)), np.float32(np.sin(tilt))
    outward, upward = _at(out / length, place), _at(up / length, place)
    forward = outward * cosine
    normals = Normals(
        np.asarray(outward * sine), upward * c - forward * s, np.maximum(upward * s + forward * c, np.float32(0))
    )
    angle = np.arcsin(sine) + np.float32(np.radians(studio.camera.yaw))
    return Surface(patch, place, _at(lathe.height, place), np.asarray(angle), radius, normals)


def _places(studio: Studio, lathe: Lathe, patch: Patch, stack: Field) -> tuple[Field, Field, Field]:
    """Between which discs each pixel's line of sight meets the solid, how far aside of the axis, and the radius there.

    The disc numbers are whole; used as they are, every pattern would show them as stairs. So the meeting point is moved
    along the line of sight until it lies on the wall (at most two discs away).
    """
    camera = studio.camera
    place = np.clip(stack, 0, RINGS - 1)
    x, y = camera.rays(*patch.grid())
    tilt = np.radians(camera.pitch)
    c, s = np.float32(np.cos(tilt)), np.float32(np.sin(tilt))
    rise = (np.gradient(lathe.height) * c).astype(np.float32)
    widening = (np.gradient(lathe.radius) * s).astype(np.float32)
    lowest, highest = np.maximum(place - 2, 0), np.minimum(place + 2, RINGS - 1)
    across = x + 0 * y
    radius = _at(lathe.radius, place)
    for _ in range(3):
        height = _at(lathe.height, place)
        forward = np.sqrt(np.maximum(radius * radius - across * across, 0.0))
        nearness = 1 - (height * s + forward * c) / np.float32(DISTANCE)
        across = x * nearness
        missed = y * nearness + forward * s - height * c
        # Newton's step; without the second term it swings to and fro on cones and near the sides.
        whole = place.astype(np.int32)
        slope = rise[whole] - widening[whole] * radius / np.maximum(forward, 0.05)
        step = np.where(slope > 1e-3, missed / np.maximum(slope, 1e-3), 0)
        place = np.clip(place + step, lowest, highest)
        radius = _at(lathe.radius, place)
    return np.asarray(place), np.asarray(across), radius


def _at(values: NDArray[np.float64], place: Field) -> Field:
    """The values between two discs."""
    low = values.astype(np.float32)
    whole = place.astype(np.int32)
    step = np.diff(low, append=low[-1])
    return np.asarray(low[whole] + step[whole] * (place - whole))


def turn(
    studio: Studio,
    profile: Points,
    paint: Paint,
    *,
    opacity: float = 1.0,
    lift: float = 0.0,
    relight: Sequence[Relight] = (),
) -> Surface:
    """Draw a turned solid. `relight` changes its colours before they are lit (ribbons, weaves, a bulb in a shade)."""
    seen = surface(studio, Lathe(profile))
    wide = float(profile[:, 0].max())
    if lift:
        studio.cast(seen.patch, lift)
    middle = float(profile[:, 1].mean())
    albedo = paint.albedo(seen.angle * np.float32(wide), seen.height - np.float32(middle), 1 / studio.camera.unit)
    for change in relight:
        albedo = change(seen, albedo)
    studio.lay(seen.patch, albedo, seen.normals, paint.finish, opacity)
    return seen


def mouth(
    studio: Studio, radius: float, height: float, wall: float, rim: Paint, inside: Paint, *,
    depth: float = 1.0,
) -> Patch:  # fmt: skip
    """The opening of a vessel: its rim seen from above and the far inner wall, darker the deeper one looks."""
    if studio.camera.pitch <= 0.5:
        return Patch(0, 0, np.zeros((1, 1), np.float32))
    studio.part(level(radius, radius, height), rim.plain(), rounding=wall * 0.7)
    patch = studio.patch([level(radius - wall, radius - wall, height)])
    columns, rows = patch.grid()
    middle = studio.camera.project(np.array([[0.0, height, 0.0]]))[0]
    unit = np.float32(studio.camera.unit * (radius - wall))
    across = np.clip((columns - np.float32(middle[0])) / unit, -1, 1)
    flatness = np.float32(max(np.sin(np.radians(studio.camera.pitch)), 0.05))
    down = np.clip((rows - np.float32(middle[1])) / (unit * flatness), -1, 1)
    # The inner wall faces the axis: its left half looks right. Less of the room's light reaches it lower down.
    z_in = np.sqrt(np.maximum(1 - across * across, 0.05))
    normals = Normals(-across * 0.9 + 0 * down, 0.25 + 0 * (across + down), z_in + 0 * down)
    open_sky = np.clip(0.72 - 0.3 * depth * (down + 1) + 0 * across, 0.16, 1)
    albedo = inside.plain().albedo(0 * across + 0 * down, 0 * down, 1.0) * open_sky
    studio.lay(patch, albedo, normals, inside.finish)
    return patch
