"""Sneakers, seen from the side with the toe to the right."""

from collections.abc import Mapping, Sequence

import numpy as np

from backend.demo.curves import Points, curve, ellipse, join, points, polygon, sketch, tube
from backend.demo.folds import Crease, creased
from backend.demo.look import Drawing, Look
from backend.demo.materials import FINISHES, Paint, trim
from backend.demo.raster import Patch
from backend.demo.studio import Studio

FLEX = creased(
    [
        Crease(0.42, -0.16, 0.34, 0.06, 0.03, 0.02),
        Crease(0.52, -0.17, 0.46, 0.02, 0.025, -0.016),
        Crease(-0.5, 0.16, -0.34, -0.1, 0.06, 0.02),
        Crease(0.0, -0.18, -0.1, 0.1, 0.08, -0.014),
    ]
)
"""Where a shoe bends: over the ball of the foot and under the ankle."""


def laces(studio: Studio, places: Sequence[tuple[float, float]], paint: Paint, *, reach: float, slope: float) -> None:
    """Laces over the instep: from each eyelet up and over the edge, and the bow's loops at the last one."""
    for x, y in places:
        studio.part(ellipse(x, y, 0.02, 0.02, 20), trim("rubber"), rounding=0.0)
        strap = curve((x, y), (x + reach * 0.45, y + reach * 0.5), (x + reach, y + reach * slope))
        studio.line(strap, 0.036, paint, lift=0.008)
    x, y = places[0]
    for loop in (
        curve(
            (x + 0.06, y + 0.06), (x - 0.02, y + 0.0), (x - 0.04, y - 0.12), (x + 0.03, y - 0.14), (x + 0.07, y + 0.04)
        ),
        curve((x + 0.07, y + 0.06), (x + 0.16, y - 0.0), (x + 0.2, y - 0.1)),
    ):
        studio.line(loop, 0.026, paint, lift=0.01)


def overlay(studio: Studio, outline: Points, paint: Paint, clip: Patch) -> None:
    """A sewn-on piece: a little raised, with stitches inside its edge."""
    piece = studio.part(outline, paint, rounding=0.02, lift=0.006, clip=clip, relief=FLEX)
    middle = outline.mean(axis=0)
    inner = middle + (outline - middle) * 0.93
    studio.seam(np.vstack([inner, inner[:1]]), paint, clip=piece, width=0.006)


def sneaker_runner(studio: Studio, look: Look) -> None:
    """A running shoe: thick shaped midsole, mesh, overlays."""
    studio.stand(0.0, 0.0, 0.84, 0.24, -0.47)
    accent = look.accent(0.75)
    collar = sketch("-0.8,0.36 -0.68,0.3 -0.5,0.2 -0.32,0.24 -0.2,0.36")
    far = sketch("-0.81,0.36 -0.6,0.37 -0.36,0.36 -0.18,0.44 -0.2,0.2 -0.5,0.1 -0.76,0.2", closed=True)
    studio.part(far, look.plain.tinted(0.35), rounding=0.02)
    tongue = sketch("-0.28,0.5 -0.2,0.54 -0.1,0.5 0.1,0.3 0.02,0.16 -0.2,0.24", closed=True)
    studio.part(tongue, accent, rounding=0.06)
    upper = join(
        collar,
        sketch("-0.16,0.38 -0.04,0.32 0.16,0.18 0.36,0.07 0.58,0.02 0.78,-0.04 0.9,-0.14 0.93,-0.25"),
        sketch("0.6,-0.3 0,-0.3 -0.6,-0.26 -0.86,-0.22"),
        sketch("-0.92,-0.12 -0.88,0.06 -0.83,0.2 -0.84,0.32"),
    )
    body = studio.part(upper, look.main, rounding=0.16, puff=0.9, relief=FLEX, lift=0.01)
    toe = sketch("0.62,0.06 0.8,0.02 1,-0.2 0.9,-0.4 0.42,-0.4 0.5,-0.22 0.68,-0.14", closed=True)
    overlay(studio, toe, accent, body)
    heel = sketch("-0.95,0.14 -0.78,0.16 -0.66,0.04 -0.56,-0.14 -0.46,-0.4 -0.95,-0.4", closed=True)
    overlay(studio, heel, accent, body)
    stay = tube(sketch("-0.2,0.3 -0.02,0.24 0.18,0.1 0.36,0"), np.linspace(0.15, 0.1, 31))
    overlay(studio, stay, look.plain.tinted(0.8), body)
    wave = tube(
        sketch("-0.42,-0.02 -0.26,-0.16 -0.06,-0.16 0.2,0.02 0.34,-0.02"),
        np.interp(np.arange(41), [0, 14, 40], [0.03, 0.11, 0.02]),
    )
    overlay(studio, wave, look.second if look.two_tone else trim("chalk", "leather"), body)
    studio.line(collar, 0.06, look.plain.tinted(0.75), lift=0.01)
    laces(
        studio,
        [(-0.13, 0.29), (-0.01, 0.23), (0.1, 0.155), (0.2, 0.085), (0.3, 0.03)],
        trim("chalk", "rubber"),
        reach=0.13,
        slope=0.75,
    )
    running_sole(studio, accent, trim("chalk", "rubber") if look.two_tone else look.plain.tinted(1.7))


def running_sole(studio: Studio, accent: Paint, foam: Paint) -> None:
    """Midsole, groove and tread."""
    midsole = join(
        sketch("-0.9,-0.16 -0.7,-0.15 -0.4,-0.2 0,-0.25 0.4,-0.24 0.75,-0.2 0.96,-0.16"),
        sketch("0.985,-0.21 0.9,-0.34 0.7,-0.42 0.3,-0.445 -0.1,-0.41 -0.4,-0.44 -0.78,-0.44 -0.93,-0.38 -0.95,-0.26"),
    )
    sole = studio.part(midsole, foam, rounding=0.07, lift=0.014)
    groove = sketch("-0.92,-0.28 -0.6,-0.27 -0.2,-0.33 0.3,-0.34 0.9,-0.27")
    studio.line(groove, 0.02, accent, clip=sole)
    tread = sketch("-0.9,-0.4 -0.78,-0.445 -0.4,-0.445 -0.1,-0.415 0.3,-0.45 0.7,-0.425 0.9,-0.34")
    studio.line(
        tread,
        np.interp(np.linspace(0, 1, len(tread)), [0, 0.1, 0.88, 1], [0.01, 0.05, 0.05, 0.005]),
        trim("rubber"),
        rounding=0.02,
    )


def sneaker_high(studio: Studio, look: Look) -> None:
    """A canvas high-top: rubber toe cap, flat rubber sole."""
    studio.stand(0.02, 0.0, 0.82, 0.22, -0.6)
    chalk = trim("chalk", "rubber")
    far = sketch("-0.66,0.6 -0.46,0.63 -0.22,0.7 -0.14,0.58 -0.4,0.46 -0.62,0.5", closed=True)
    studio.part(far, look.plain.tinted(0.35), rounding=0.02)
    tongue = sketch("-0.32,0.74 -0.22,0.82 -0.1,0.78 -0.05,0.5 0.12,0.14 0,0.04 -0.22,0.4", closed=True)
    studio.part(tongue, look.accent(0.8), rounding=0.05)
    upper = join(
        sketch("-0.68,0.6 -0.5,0.54 -0.32,0.55 -0.17,0.63"),
        sketch("-0.13,0.58 -0.09,0.34 0.02,0.1 0.26,-0.05 0.52,-0.13 0.74,-0.22 0.86,-0.38"),
        sketch("0.84,-0.48 0.2,-0.5 -0.4,-0.5 -0.8,-0.47"),
        sketch("-0.83,-0.34 -0.8,-0.16 -0.735,0.04 -0.7,0.26 -0.71,0.56"),
    )
    body = studio.part(upper, look.main, rounding=0.13, relief=FLEX, lift=0.01)
    side = look.second
    stay = tube(sketch("-0.23,0.62 -0.18,0.34 -0.07,0.06 0.16,-0.12"), 0.13)
    overlay(studio, stay, side, body)
    heel = polygon("-0.9,0.6 -0.61,0.6 -0.61,0.26 -0.64,0 -0.7,-0.5 -0.95,-0.5")
    overlay(studio, heel, side, body)
    cap = sketch("0.5,-0.1 0.66,-0.14 0.9,-0.3 0.95,-0.55 0.46,-0.55 0.42,-0.32", closed=True)
    studio.part(cap, chalk, rounding=0.16, clip=body, lift=0.012)
    studio.seam(sketch("-0.61,0.2 -0.42,0.15 -0.2,0.2"), look.main, clip=body)
    laces(
        studio,
        [(-0.21, 0.54), (-0.19, 0.4), (-0.155, 0.26), (-0.09, 0.12), (0.0, 0.01), (0.1, -0.08)],
        chalk,
        reach=0.14,
        slope=0.35,
    )
    sole = join(
        sketch("-0.88,-0.4 -0.4,-0.42 0.3,-0.43 0.7,-0.41 0.92,-0.37"),
        sketch("0.94,-0.46 0.88,-0.56 0.7,-0.6 0,-0.605 -0.7,-0.605 -0.88,-0.58"),
    )
    foxing = studio.part(sole, chalk, rounding=0.04, lift=0.012)
    studio.line(sketch("-0.92,-0.445 0.3,-0.468 0.95,-0.41"), 0.018, look.plain, clip=foxing, rounding=0)
    studio.line(sketch("-0.9,-0.59 0,-0.6 0.72,-0.595 0.9,-0.54"), 0.03, trim("sand", "rubber"), clip=foxing)


def sneaker_court(studio: Studio, look: Look) -> None:
    """A low leather court shoe on a flat cup sole."""
    studio.stand(0.0, 0.0, 0.84, 0.23, -0.46)
    side = look.accent(0.8)
    chalk = trim("chalk", "rubber")
    far = sketch("-0.8,0.34 -0.55,0.34 -0.3,0.36 -0.16,0.4 -0.2,0.16 -0.5,0.08 -0.76,0.18", closed=True)
    studio.part(far, look.plain.tinted(0.4), rounding=0.02)
    tongue = sketch("-0.28,0.46 -0.18,0.52 -0.08,0.46 0.1,0.24 0,0.1 -0.2,0.2", closed=True)
    studio.part(tongue, look.main, rounding=0.06)
    collar = sketch("-0.8,0.34 -0.66,0.27 -0.48,0.17 -0.32,0.2 -0.19,0.33")
    upper = join(
        collar,
        sketch("-0.14,0.34 0,0.25 0.2,0.1 0.42,0 0.64,-0.04 0.8,-0.1 0.9,-0.2 0.92,-0.3"),
        sketch("0.5,-0.34 -0.4,-0.34 -0.88,-0.3"),
        sketch("-0.925,-0.14 -0.89,0.06 -0.835,0.2 -0.84,0.3"),
    )
    body = studio.part(upper, look.main, rounding=0.15, relief=FLEX, lift=0.01)
    tab = sketch("-0.95,0.4 -0.78,0.38 -0.7,0.22 -0.72,0.04 -0.95,0.02", closed=True)
    overlay(studio, tab, side, body)
    stay = tube(sketch("-0.22,0.26 -0.04,0.18 0.16,0.04 0.32,-0.04"), np.linspace(0.17, 0.12, 31))
    overlay(studio, stay, look.plain, body)
    studio.seam(sketch("0.32,-0.06 0.38,-0.2 0.34,-0.34"), look.main, clip=body)
    studio.seam(sketch("-0.52,0.12 -0.42,-0.1 -0.46,-0.34"), look.main, clip=body)
    holes = [ellipse(0.52 + 0.07 * n, -0.1 - 0.02 * n + 0.05 * m, 0.009, 0.009, 12) for n in range(3) for m in range(2)]
    studio.part(holes, look.plain.tinted(0.35), rounding=0, clip=body)
    bars = [
        points((-0.34 + 0.11 * n, 0.1), (-0.29 + 0.11 * n, 0.1), (-0.17 + 0.11 * n, -0.28), (-0.24 + 0.11 * n, -0.28))
        for n in range(2)
    ]
    studio.part(bars, side, rounding=0.01, lift=0.005, clip=body)
    studio.line(collar, 0.055, side, lift=0.01)
    laces(studio, [(-0.13, 0.25), (0.0, 0.18), (0.11, 0.1), (0.22, 0.03)], chalk, reach=0.13, slope=0.75)
    sole = join(
        sketch("-0.91,-0.24 -0.4,-0.27 0.3,-0.29 0.7,-0.27 0.94,-0.23"),
        sketch("0.96,-0.31 0.9,-0.42 0.7,-0.46 0,-0.465 -0.7,-0.465 -0.91,-0.43"),
    )
    cup = studio.part(sole, chalk, rounding=0.05, lift=0.014)
    studio.seam(
        sketch("-0.9,-0.285 -0.4,-0.31 0.3,-0.33 0.93,-0.275"), Paint((150, 148, 140), FINISHES["cotton"]), clip=cup
    )


SHAPES: Mapping[str, Drawing] = {
    "sneaker-runner": sneaker_runner,
    "sneaker-high": sneaker_high,
    "sneaker-court": sneaker_court,
}
