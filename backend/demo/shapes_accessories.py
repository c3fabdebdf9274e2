"""Sunglasses and umbrellas."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from backend.demo.camera import Frame, turned
from backend.demo.curves import Points, curve, ellipse, flipped, moved, polygon, sketch
from backend.demo.look import Drawing, Look
from backend.demo.materials import FINISHES, Paint, shaded, trim
from backend.demo.raster import Field
from backend.demo.studio import Relief, Studio
from backend.demo.tubes import cord, rod

# --- sunglasses -------------------------------------------------------------------------------------------------------

WRAP = 7.0
"""Degrees each lens is turned outwards: frames follow the face."""


def sunglasses(
    studio: Studio, look: Look, rim: Points, lens: Points, bridge: Points, *, thick: float, top: float
) -> None:
    """Sunglasses standing open on the table. `rim` and `lens` are the right one's outlines about its own middle."""
    side = look.second
    floor = float(rim[:, 1].min()) - 0.01
    for x in (-0.46, 0.46):
        studio.stand(x, -0.05, 0.34, 0.06, floor)
    studio.stand(0, -0.7, 0.8, 0.75, floor, strength=0.35, box=True)
    for turn in sorted((1, -1), key=lambda sign: studio.camera.depth(np.array([[sign * 0.9, 0, -0.6]]))):
        temple(studio, side, turn, top, floor, thick)
    glass = Paint(shaded(look.main.colour, 0.7), FINISHES["lens"], shaded(look.main.colour, 1.0), "faded", scale=0.42)
    bow = np.column_stack([bridge, np.full(len(bridge), 0.012)])
    cord(studio, bow, thick, look.plain)
    for turn in (1, -1):
        a = np.radians(WRAP) * turn
        frame = Frame((0.47 * turn, 0.0, -0.03), (np.cos(a), 0.0, -np.sin(a)), (0.0, 1.0, 0.0))
        mine = (lambda line: line) if turn == 1 else flipped
        pane = studio.part(mine(lens) * 1.03, glass, frame=frame, rounding=0.1, puff=0.5)
        shine = polygon("-0.26,0.5 -0.1,0.5 -0.3,-0.5 -0.46,-0.5")
        studio.part(moved(shine, x=0.05), trim("chalk"), frame=frame, rounding=0, clip=pane, opacity=0.13)
        studio.part(
            moved(shine * np.array([0.35, 1.0]), x=0.16), trim("chalk"), frame=frame, rounding=0, clip=pane, opacity=0.1
        )
        studio.part(mine(rim), look.main, frame=frame, rounding=thick * 0.4, puff=0.8, holes=[mine(lens)], lift=0.012)


def temple(studio: Studio, paint: Paint, turn: int, top: float, floor: float, thick: float) -> None:
    """One arm: straight back from the hinge, then down behind the ear."""
    arm = curve(
        (0.86, top, -0.06),
        (0.86, top, -0.5),
        (0.84, top - 0.01, -0.95),
        (0.82, top - 0.06, -1.15),
        (0.8, floor + 0.02, -1.45),
    ) * np.array([turn, 1, 1])
    cord(studio, arm, np.linspace(max(thick, 0.06), 0.055, len(arm)), paint.plain())


def glasses_square(studio: Studio, look: Look) -> None:
    """Thick acetate, wide at the brow."""
    rim = sketch(
        "-0.38,0.25 0,0.28 0.38,0.29 0.46,0.2 0.4,-0.12 0.26,-0.29 -0.1,-0.3 -0.32,-0.18 -0.4,0.06", closed=True
    )
    lens = sketch(
        "-0.3,0.18 0,0.2 0.3,0.2 0.34,0.12 0.31,-0.09 0.2,-0.22 -0.08,-0.23 -0.25,-0.13 -0.315,0.06", closed=True
    )
    sunglasses(studio, look, rim, lens, sketch("-0.12,0.12 0,0.165 0.12,0.12"), thick=0.1, top=0.2)


def glasses_round(studio: Studio, look: Look) -> None:
    """Round lenses in a slim frame."""
    rim, lens = ellipse(0, 0, 0.36, 0.34, 60), ellipse(0, 0, 0.315, 0.295, 60)
    sunglasses(studio, look, rim, lens, sketch("-0.13,0.06 0,0.12 0.13,0.06"), thick=0.055, top=0.08)


def glasses_aviator(studio: Studio, look: Look) -> None:
    """Drop-shaped lenses, two bridges."""
    rim = sketch(
        "-0.36,0.24 0,0.28 0.34,0.25 0.42,0.1 0.36,-0.16 0.16,-0.33 -0.1,-0.32 -0.3,-0.12 -0.38,0.1", closed=True
    )
    sunglasses(studio, look, rim, rim * 0.9, sketch("-0.14,0.08 0,0.13 0.14,0.08"), thick=0.05, top=0.17)
    bar = sketch("-0.16,0.235,0.01 0,0.25,0.012 0.16,0.235,0.01")
    cord(studio, bar, 0.045, look.plain)


# --- umbrellas --------------------------------------------------------------------------------------------------------


def umbrella(
    studio: Studio, look: Look, *, radius: float, rise: float, depth: float, panels: int, lean: float, nod: float
) -> None:
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
        return (
            np.stack([far * np.sin(around), apex - fall + sag * 0.5 * down * rise, far * np.cos(around)], axis=1)
            @ tilt.T
        )

    panels_seen = []
    for n in range(panels):
        a, b = 2 * np.pi * (n - 0.35) / panels, 2 * np.pi * (n + 0.65) / panels
        hem = np.vstack([place(a + (b - a) * t, np.array([1.0]), 0.42 * t * (1 - t)) for t in np.linspace(0, 1, 9)])
        down = np.linspace(0.02, 1, 14)
        outline = np.vstack([place(a, down, 0.0), hem, place(b, down, 0.0)[::-1]])
        frame = _plane(place, a, b)
        sag = _taut(frame, place(a, np.array([0.0, 1.0]), 0.0))
        panels_seen.append(Panel(n, outline, float(studio.camera.facing(frame.normal)[2]), frame, sag))
    handle(studio, np.array([[0, apex - 0.02, 0], [0, -0.98, 0]]) @ tilt.T, tilt)
    # The stick leans towards the viewer, so the canopy's inside is never seen and the far panels show over the ridge.
    for panel in sorted(panels_seen, key=lambda panel: panel.toward):
        paint = look.second if look.two_tone and panel.number % 2 else look.main
        studio.part(panel.outline, paint, frame=panel.frame, rounding=0.004, relief=panel.sag)
    tip = np.array([[0, apex - 0.01, 0], [0, apex + 0.13, 0]]) @ tilt.T
    rod(studio, tip[0].tolist(), tip[1].tolist(), (0.05, 0.025), trim("steel"))
    studio.drop_shadow(0.13, 0.4)


class Panel(NamedTuple):
    """One panel between two ribs: its outline in space, how much it faces the viewer, its plane and its sag."""

    number: int
    outline: Points
    toward: float
    frame: Frame
    sag: Relief


def _taut(frame: Frame, rib: Points) -> Relief:
    """Taut cloth is highest along the ribs and sinks between them. `rib` is one rib's two ends in space."""
    flat = np.stack([(rib - frame.origin) @ frame.right, (rib - frame.origin) @ frame.up], axis=1)
    top, hem, half = float(flat[0, 1]), float(flat[1, 1]), abs(float(flat[1, 0]))

    def relief(u: Field, v: Field) -> Field:
        wide = half * np.clip((top - v) / (top - hem), 0.06, 1.1) ** 0.8
        return np.asarray(0.3 * wide * np.minimum((u / wide) ** 2, 1.2), dtype=np.float32)

    return relief


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


def handle(studio: Studio, stick: Points, tilt: Points) -> None:
    """The stick and its crook."""
    rod(studio, stick[0].tolist(), stick[1].tolist(), (0.03, 0.03), trim("steel"))
    crook = sketch("0,-0.66,0 0,-0.9,0 0.03,-1,0 0.11,-1.04,0 0.19,-1,0 0.2,-0.9,0")
    cord(studio, np.asarray(crook @ tilt.T), 0.062, trim("walnut", "lacquer"))


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
