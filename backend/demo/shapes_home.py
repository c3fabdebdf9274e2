"""Table lamps, vases and wall clocks."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from backend.demo.curves import Points, ellipse, join, level, moved, points, polygon, rounded, sketch
from backend.demo.light import planes
from backend.demo.look import Drawing, Look
from backend.demo.materials import FINISHES, Paint, trim
from backend.demo.raster import Colours
from backend.demo.solids import Surface, mouth, turn
from backend.demo.studio import Studio

# --- lamps ------------------------------------------------------------------------------------------------------------


def glowing(surface: Surface, albedo: Colours) -> Colours:
    """A lit shade is brightest round its bulb, a little below the middle, and warmer there."""
    height = surface.height
    middle, reach = float(np.median(height)) - 0.06, 0.34
    glow = np.exp(-(((height - middle) / reach) ** 2)) * np.maximum(surface.normals.z, 0) ** 1.5
    warm = planes((1.0, 0.86, 0.62))
    return np.asarray(albedo * (0.84 + 0.5 * glow) + 0.05 * glow * warm)


def lamp(studio: Studio, look: Look, base: Points, shade: tuple[float, float, float, float]) -> None:
    """A table lamp: a turned base, and a shade given by its lower and upper radius and their heights."""
    low, high, bottom, top = shade
    studio.stand(0, 0, float(base[0, 0]) * 1.05, float(base[0, 0]) * 1.05, float(base[0, 1]))
    foot = replace(look.second.plain(), finish=FINISHES["ceramic"])
    turn(studio, base, foot)
    neck = float(base[-1, 1])
    turn(studio, points((0.035, neck - 0.01), (0.035, bottom + 0.1)), trim("brass"))
    inner = look.plain.tinted(1.6)
    studio.cast(studio.patch([level(low, low, bottom)]), 0.05, 0.35)
    turn(studio, points((low - 0.012, bottom), (low, bottom + 0.004), (high, top)), look.main, relight=[glowing])
    mouth(studio, high, top, 0.018, look.plain, replace(inner, finish=FINISHES["paper"]), depth=0.25)


def lamp_gourd(studio: Studio, look: Look) -> None:
    """A double-gourd base under an empire shade."""
    base = sketch(
        "0.27,-0.92 0.29,-0.9 0.24,-0.87 0.27,-0.8 0.35,-0.62 0.33,-0.42 0.19,-0.26 0.17,-0.2 "
        "0.2,-0.12 0.17,-0.02 0.07,0.05 0.05,0.09"
    )
    lamp(studio, look, base, (0.66, 0.38, 0.13, 0.9))


def lamp_column(studio: Studio, look: Look) -> None:
    """A slim column on a disc, under a drum shade."""
    base = join(
        sketch("0.3,-0.93 0.32,-0.9 0.31,-0.87 0.2,-0.85"),
        sketch("0.075,-0.82 0.065,-0.7 0.065,0 0.06,0.08"),
    )
    lamp(studio, look, base, (0.56, 0.5, 0.12, 0.86))


def lamp_ball(studio: Studio, look: Look) -> None:
    """A ball base under a steep cone."""
    base = sketch("0.16,-0.88 0.2,-0.86 0.34,-0.74 0.41,-0.5 0.35,-0.26 0.2,-0.14 0.08,-0.1 0.06,-0.04")
    lamp(studio, look, base, (0.64, 0.26, 0.0, 0.84))


# --- vases ------------------------------------------------------------------------------------------------------------


def vase(studio: Studio, look: Look, profile: Points) -> None:
    """An open vessel."""
    studio.stand(0, 0, float(profile[1, 0]), float(profile[1, 0]), float(profile[0, 1]))
    turn(studio, profile, look.dipped)
    mouth(studio, float(profile[-1, 0]), float(profile[-1, 1]), 0.04, look.plain, look.plain.tinted(0.62), depth=1.3)


def vase_bulb(studio: Studio, look: Look) -> None:
    """A round belly and a narrow, flaring neck."""
    vase(
        studio,
        look,
        sketch("0.26,-0.86 0.3,-0.85 0.48,-0.66 0.56,-0.36 0.47,-0.06 0.24,0.2 0.16,0.44 0.18,0.68 0.27,0.84"),
    )


def vase_amphora(studio: Studio, look: Look) -> None:
    """High shoulders over a slim foot."""
    vase(
        studio,
        look,
        sketch("0.22,-0.88 0.25,-0.87 0.27,-0.7 0.38,-0.3 0.5,0.14 0.49,0.42 0.34,0.6 0.24,0.68 0.24,0.76 0.32,0.86"),
    )


def vase_tulip(studio: Studio, look: Look) -> None:
    """A tall beaker, waisted and open."""
    vase(
        studio,
        look,
        sketch("0.3,-0.88 0.33,-0.87 0.34,-0.7 0.29,-0.36 0.27,-0.1 0.31,0.24 0.4,0.58 0.5,0.86"),
    )


# --- clocks -----------------------------------------------------------------------------------------------------------

ROMAN = ("XII", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI")
STROKES: Mapping[str, tuple[tuple[float, float, float, float], ...]] = {
    "I": ((0.2, 0, 0.2, 1),),
    "V": ((0, 1, 0.3, 0), (0.3, 0, 0.6, 1)),
    "X": ((0, 0, 0.6, 1), (0, 1, 0.6, 0)),
}
WIDTHS: Mapping[str, float] = {"I": 0.4, "V": 0.7, "X": 0.75}


def numeral(text: str, x: float, y: float, size: float) -> list[Points]:
    """A Roman numeral as bars, centred on a place."""
    wide = sum(WIDTHS[letter] for letter in text)
    left = -wide / 2
    bars = []
    for letter in text:
        for x0, y0, x1, y1 in STROKES[letter]:
            ends = points((left + x0, y0 - 0.5), (left + x1, y1 - 0.5)) * size * (0.8, 1.0) + (x, y)
            across = np.array([[-1.0, 0.0], [1.0, 0.0]]) * size * 0.075
            bars.append(np.vstack([ends[0] + across, (ends[1] + across)[::-1]]))
        left += WIDTHS[letter]
    return bars


def clock(studio: Studio, look: Look, outline: Points, face: Points, *, roman: bool, hour: float) -> None:
    """A wall clock: case, face, marks, hands and a pane of glass. `hour` is what it shows."""
    case = look.second.plain()
    studio.part(outline, replace(case, finish=FINISHES["lacquer"]), rounding=0.09)
    dial_paint = replace(look.main, finish=FINISHES["cotton"])
    dial = studio.part(face, dial_paint.plain().tinted(0.55), rounding=0)
    studio.part(face * 0.985, dial_paint, rounding=0, clip=dial)
    pale = sum(look.main.colour) < 420
    ink = trim("chalk" if pale else "ink", "cotton")
    marks = []
    for n in range(60):
        tick = rounded(-0.006, 0.60, 0.006, 0.63, 0.002) if n % 5 else rounded(-0.012, 0.585, 0.012, 0.635, 0.003)
        marks.append(moved(tick, degrees=-6 * n))
    if roman:
        for n, text in enumerate(ROMAN):
            marks += numeral(text, 0.49 * np.sin(n * np.pi / 6), 0.49 * np.cos(n * np.pi / 6), 0.13)
    else:
        marks += [moved(rounded(-0.022, 0.4, 0.022, 0.55, 0.01), degrees=-30 * n) for n in range(12)]
    studio.part(marks, ink, rounding=0)
    hands(studio, ink, hour)
    glass = Paint((255, 255, 255), FINISHES["cotton"])
    sheen = join(ellipse(0, 0, 0.64, 0.64, 30, arc=(100, 170)), sketch("-0.6,0.06 -0.2,0.2 -0.1,0.6"))
    studio.part(sheen, glass, rounding=0, clip=dial, opacity=0.1)


def hands(studio: Studio, ink: Paint, hour: float) -> None:
    """Hour hand, minute hand, second hand and pin, each a little above the last."""
    minute = hour % 1 * 360
    studio.part(moved(polygon("-0.026,-0.08 0.026,-0.08 0.016,0.33 -0.016,0.33"), degrees=-hour * 30), ink, lift=0.02)
    studio.part(moved(polygon("-0.02,-0.1 0.02,-0.1 0.011,0.5 -0.011,0.5"), degrees=-minute), ink, lift=0.025)
    red = Paint((190, 40, 36), FINISHES["plastic"])
    studio.part(moved(polygon("-0.007,-0.14 0.007,-0.14 0.004,0.54 -0.004,0.54"), degrees=-200), red, lift=0.03)
    studio.part(ellipse(0, 0, 0.04, 0.04, 32), trim("brass"), rounding=0.03, lift=0.015)


def clock_round(studio: Studio, look: Look) -> None:
    """A round clock with Roman numerals."""
    clock(studio, look, ellipse(0, 0, 0.84, 0.84, 120), ellipse(0, 0, 0.69, 0.69, 120), roman=True, hour=10 + 9 / 60)
    studio.drop_shadow(0.1)


def clock_bars(studio: Studio, look: Look) -> None:
    """A round, thin-rimmed clock with bars."""
    clock(studio, look, ellipse(0, 0, 0.8, 0.8, 120), ellipse(0, 0, 0.73, 0.73, 120), roman=False, hour=1 + 51 / 60)
    studio.drop_shadow(0.08)


def clock_square(studio: Studio, look: Look) -> None:
    """A square clock with round corners and bars."""
    clock(
        studio,
        look,
        rounded(-0.78, -0.78, 0.78, 0.78, 0.2),
        ellipse(0, 0, 0.69, 0.69, 120),
        roman=False,
        hour=10 + 8 / 60,
    )
    studio.drop_shadow(0.1)


SHAPES: Mapping[str, Drawing] = {
    "lamp-gourd": lamp_gourd,
    "lamp-column": lamp_column,
    "lamp-ball": lamp_ball,
    "vase-bulb": vase_bulb,
    "vase-amphora": vase_amphora,
    "vase-tulip": vase_tulip,
    "clock-round": clock_round,
    "clock-bars": clock_bars,
    "clock-square": clock_square,
}
