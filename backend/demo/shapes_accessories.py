"""Sunglasses and umbrellas."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from backend.demo.camera import Frame, turned
from backend.demo.curves import Points, curve, ellipse, flipped, join, points
from backend.demo.look import Drawing, Look
from backend.demo.materials import FINISHES, Paint, shaded, trim
from backend.demo.studio import Studio

# --- sunglasses -------------------------------------------------------------------------------------------------------

WRAP = 7.0
"""Degrees each lens is turned outwards: frames follow the face."""


def sunglasses(studio: Studio, look: Look, rim: Points, lens: Points, bridge: Points, *, thick: float, top: float) -> None:
    """Sunglasses standing open on the table. `rim` and `lens` are the right one's outlines about its own middle."""
    side = look.second if look.two_tone else look.main
    floor = float(rim[:, 1].min()) - 0.01
    for x in (-0.46, 0.46):
        studio.stand(x, -0.05, 0.34, 0.06, floor)
    studio.stand(0, -0.7, 0.8, 0.75, floor, strength=0.35, touching=False)
    for turn in sorted((1, -1), key=lambda sign: studio.camera.depth(np.array([[sign * 0.9, 0, -0.6]]))):
        temple(studio, side, turn, top, floor, thick)
    glass = Paint(
        shaded(look.main.colour, 0.34), FINISHES["lens"], shaded(look.main.colour, 1.0), "faded", scale=0.42
    )
    bow = np.column_stack([bridge, np.full(len(bridge), 0.012)])
    studio.cord(bow, thick, look.plain)
    for turn in (1, -1):
        a = np.radians(WRAP) * turn
        frame = Frame((0.47 * turn, 0.0, -0.03), (np.cos(a), 0.0, -np.sin(a)), (0.0, 1.0, 0.0))
        mine = (lambda line: line) if turn == 1 else flipped
        pane = studio.part(mine(lens) * 1.03, glass, frame=frame, rounding=0.1, puff=0.5)
        shine = points((-0.26, 0.5), (-0.1, 0.5), (-0.3, -0.5), (-0.46, -0.5))
        studio.part(shine + (0.05, 0), trim("chalk"), frame=frame, rounding=0, clip=pane, opacity=0.13)
        studio.part(shine * (0.35, 1) + (0.16, 0), trim("chalk"), frame=frame, rounding=0, clip=pane, opacity=0.1)
        studio.part(mine(rim), look.main, frame=frame, rounding=thick * 0.4, puff=0.8, holes=[mine(lens)], lift=0.012)


def temple(studio: Studio, paint: Paint, turn: int, top: float, floor: float, thick: float) -> None:
    """One arm: straight back from the hinge, then down behind the ear."""
    arm = curve(
        (0.86, top, -0.06), (0.86, top, -0.5), (0.84, top - 0.01, -0.95), (0.82, top - 0.06, -1.15), (0.8, floor + 0.02, -1.45)
    ) * np.array([turn, 1, 1])
    studio.cord(arm, np.linspace(max(thick, 0.06), 0.055, len(arm)), paint.plain())


def glasses_square(studio: Studio, look: Look) -> None:
    """Thick acetate, wide at the brow."""
    rim = curve((-0.38, 0.25), (0.0, 0.28), (0.38, 0.29), (0.46, 0.2), (0.4, -0.12), (0.26, -0.29), (-0.1, -0.3), (-0.32, -0.18), (-0.4, 0.06), closed=True)
    lens = curve((-0.3, 0.18), (0.0, 0.2), (0.3, 0.2), (0.34, 0.12), (0.31, -0.09), (0.2, -0.22), (-0.08, -0.23), (-0.25, -0.13), (-0.315, 0.06), closed=True)
    sunglasses(studio, look, rim, lens, curve((-0.12, 0.12), (0.0, 0.165), (0.12, 0.12)), thick=0.1, top=0.2)


def glasses_round(studio: Studio, look: Look) -> None:
    """Round lenses in a slim frame."""
    rim, lens = ellipse(0, 0, 0.36, 0.34, 60), ellipse(0, 0, 0.315, 0.295, 60)
    sunglasses(studio, look, rim, lens, curve((-0.13, 0.06), (0.0, 0.12), (0.13, 0.06)), thick=0.055, top=0.08)


def glasses_aviator(studio: Studio, look: Look) -> None:
    """Drop-shaped lenses, two bridges."""
    rim = curve((-0.36, 0.24), (0.0, 0.28), (0.34, 0.25), (0.42, 0.1), (0.36, -0.16), (0.16, -0.33), (-0.1, -0.32), (-0.3, -0.12), (-0.38, 0.1), closed=True)
    sunglasses(studio, look, rim, rim * 0.9, curve((-0.14, 0.08), (0.0, 0.13), (0.14, 0.08)), thick=0.05, top=0.17)
    bar = curve((-0.16, 0.235, 0.01), (0.0, 0.25, 0.012), (0.16, 0.235, 0.01))
    studio.cord(bar, 0.045, look.plain)


# --- umbrellas --------------------------------------------------------------------------------------------------------


def umbrella(studio: Studio, look: Look, *, radius: float, rise: float, depth: float, panels: int, lean: float, nod: float) -> None:
    """An open umbrella. `depth` (degrees) is how far the canopy's arc bends down; `lean` and `nod` tilt its stick."""
    tilt = turned(0, nod)
    c, s = np.cos(np.radians(lean)), np.sin(np.radians(lean))
    tilt = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ tilt
    apex = 0.62

    def place(around: float, down: Points, sag: float) -> Points:
        """Points of the canopy: an angle round the stick and how far from the top (0) to the hem (1)."""
        bend = np.radians(depth) * down
        far = radius * np.sin(bend) / np.sin(np.radians(depth)) * (1 - sag * down)
        fall = rise * (1 - np.cos(bend)) / (1 - np.cos(np.radians(depth)))
        return np.stack([far * np.sin(around), apex - fall + sag * 0.5 * down * rise, far * np.cos(around)], axis=1) @ tilt.T

    def outward(around: float, down: float) -> float:
        """How far the canopy faces the viewer at a place; negative where its inside is seen."""
        step = 0.02
        aside = place(around + step, np.array([down]), 0.0) - place(around - step, np.array([down]), 0.0)
        upward = place(around, np.array([down - step]), 0.0) - place(around, np.array([down + step]), 0.0)
        normal = np.cross(aside[0], upward[0])
        return float(studio.camera.facing(normal / np.linalg.norm(normal))[2])

    panels_seen = []
    for n in range(panels):
        a, b = 2 * np.pi * (n - 0.35) / panels, 2 * np.pi * (n + 0.65) / panels
        hem = np.vstack([place(a + (b - a) * t, np.array([1.0]), 0.42 * t * (1 - t)) for t in np.linspace(0, 1, 9)])
        down = np.linspace(0.02, 1, 14)
        whole = np.vstack([place(a, down, 0.0), hem, place(b, down, 0.0)[::-1]])
        facing = [outward((a + b) / 2, at) for at in down[1:]]
        # A panel at the back shows its outside only near the top, over the ridge.
        over = down[1 : 2 + max(sum(toward > 0 for toward in facing) - 1, 0)]
        ridge = np.vstack([place(a, over, 0.0), place(b, over, 0.0)[::-1]]) if facing[0] > 0 else None
        panels_seen.append(Panel(n, whole, ridge, float(np.mean(facing[5:])), _plane(place, a, b)))
    panels_seen.sort(key=lambda panel: panel.toward)
    stick = np.array([[0, apex - 0.02, 0], [0, -0.98, 0]]) @ tilt.T
    back = [panel for panel in panels_seen if panel.toward < 0]
    for panel in back:
        paint = look.second if look.two_tone and panel.number % 2 else look.main
        studio.part(panel.whole, paint.tinted(0.42), frame=panel.frame, rounding=0.03)
    handle(studio, look, stick, tilt)
    for panel in panels_seen:
        paint = look.second if look.two_tone and panel.number % 2 else look.main
        shown = panel.ridge if panel.toward < 0 else panel.whole
        if shown is not None:
            # Taut cloth is highest along the ribs and sinks between them: a negative puff.
            studio.part(shown, paint, frame=panel.frame, rounding=0.13, puff=-0.42)
    tip = np.array([[0, apex - 0.01, 0], [0, apex + 0.13, 0]]) @ tilt.T
    studio.rod(tip[0].tolist(), tip[1].tolist(), (0.05, 0.025), trim("steel"))
    studio.drop_shadow(0.13, 0.4)


class Panel(NamedTuple):
    """One panel between two ribs: its outline, the part of it seen over the ridge, how it faces, its plane."""

    number: int
    whole: Points
    ridge: Points | None
    toward: float
    frame: Frame


def _plane(place: Callable[[float, Points, float], Points], a: float, b: float) -> Frame:
    """The plane through the middle of a panel, for its pattern and its light."""
    middle = place((a + b) / 2, np.array([0.55, 0.75]), 0.08)
    right = place(b, np.array([0.65]), 0.0)[0] - place(a, np.array([0.65]), 0.0)[0]
    right = right / np.linalg.norm(right)
    up = middle[0] - middle[1]
    up = up - right * float(up @ right)
    up = up / np.linalg.norm(up)
    at = middle.mean(axis=0)
    return Frame((at[0], at[1], at[2]), (right[0], right[1], right[2]), (up[0], up[1], up[2]))


def handle(studio: Studio, look: Look, stick: Points, tilt: Points) -> None:
    """The stick and its crook."""
    studio.rod(stick[0].tolist(), stick[1].tolist(), (0.03, 0.03), trim("steel"))
    crook = curve((0.0, -0.66, 0), (0.0, -0.9, 0), (0.03, -1.0, 0), (0.11, -1.04, 0), (0.19, -1.0, 0), (0.2, -0.9, 0))
    studio.cord(np.asarray(crook @ tilt.T), 0.062, trim("walnut", "lacquer"))


def umbrella_stick(studio: Studio, look: Look) -> None:
    """The classic stick umbrella, eight panels."""
    umbrella(studio, look, radius=0.92, rise=0.52, depth=68, panels=8, lean=24, nod=16)


def umbrella_dome(studio: Studio, look: Look) -> None:
    """A deep dome."""
    umbrella(studio, look, radius=0.76, rise=0.78, depth=88, panels=8, lean=14, nod=10)


def umbrella_wide(studio: Studio, look: Look) -> None:
    """A wide golf umbrella, nearly upright."""
    umbrella(studio, look, radius=0.98, rise=0.46, depth=62, panels=8, lean=-16, nod=8)


SHAPES: Mapping[str, Drawing] = {
    "sunglasses-square": glasses_square,
    "sunglasses-round": glasses_round,
    "sunglasses-aviator": glasses_aviator,
    "umbrella-stick": umbrella_stick,
    "umbrella-dome": umbrella_dome,
    "umbrella-wide": umbrella_wide,
}
