"""Backpacks, from the front."""

from collections.abc import Mapping

import numpy as np

from backend.demo.curves import Points, both_sides, curve, flipped, join, points, polygon, rounded, sketch
from backend.demo.folds import Crease, creased, rounded_across, together
from backend.demo.look import Drawing, Look
from backend.demo.materials import FINISHES, TRIMS, Paint, trim
from backend.demo.raster import Patch
from backend.demo.studio import Studio

PACKED = together(
    rounded_across(0.62, 0.12),
    creased(
        [
            Crease(0.5, -0.5, 0.2, -0.3, 0.05, 0.025),
            Crease(0.5, 0.3, 0.26, 0.2, 0.05, -0.02),
            Crease(0.3, 0.6, 0.2, 0.3, 0.06, 0.02),
            Crease(0.4, -0.8, 0.3, -0.5, 0.05, -0.02),
        ],
        mirrored=True,
    ),
)
"""A filled bag: round across, with a few dents."""


def straps(studio: Studio, look: Look) -> None:
    """Shoulder straps that show beside the bag, and the loop to hang it by."""
    webbing = look.plain.tinted(0.5)
    for turn in (lambda line: line, flipped):
        strap = sketch("0.22,0.66 0.42,0.62 0.62,0.34 0.68,-0.08 0.64,-0.5 0.5,-0.74")
        studio.line(turn(strap), np.interp(np.arange(len(strap)), [0, 34, len(strap)], [0.15, 0.13, 0.05]), webbing)
    loop = sketch("-0.14,0.68 -0.14,0.86 -0.07,0.93 0.07,0.93 0.14,0.86 0.14,0.68")
    studio.line(loop, 0.06, webbing)


def zip_line(studio: Studio, line: Points, look: Look, clip: Patch | None) -> None:
    """A zip: dark tape, a bright row of teeth, a puller at its end."""
    studio.line(line, 0.042, look.plain.tinted(0.38), rounding=0.01, clip=clip)
    studio.line(line, 0.012, trim("steel"), rounding=0, clip=clip)
    x, y = line[-1]
    studio.part(rounded(x - 0.02, y - 0.03, x + 0.02, y + 0.02, 0.01), trim("steel"), rounding=0.012, lift=0.006)
    studio.part(
        rounded(x - 0.014, y - 0.15, x + 0.014, y - 0.03, 0.012), look.plain.tinted(0.4), rounding=0.012, lift=0.01
    )


def label(studio: Studio, x: float, y: float) -> None:
    """A small leather patch."""
    leather = Paint((150, 98, 56), FINISHES["leather"])
    studio.part(rounded(x - 0.1, y - 0.05, x + 0.1, y + 0.05, 0.015), leather, rounding=0.012, lift=0.006)
    studio.part(
        [rounded(x - 0.06, y - 0.007, x + 0.06, y + 0.007, 0.004)],
        Paint(TRIMS["cream"], FINISHES["leather"]),
        rounding=0,
        opacity=0.7,
    )


def side_pockets(studio: Studio, look: Look) -> None:
    """Flat pockets on both sides."""
    for turn in (lambda line: line, flipped):
        pocket = sketch("0.44,-0.22 0.62,-0.26 0.66,-0.5 0.62,-0.76 0.44,-0.82", closed=True)
        studio.part(turn(pocket), look.plain.tinted(0.72), rounding=0.07)
        studio.line(turn(sketch("0.48,-0.215 0.57,-0.23 0.64,-0.29")), 0.03, look.plain.tinted(0.5))


def backpack_round(studio: Studio, look: Look) -> None:
    """The school classic: domed top, arched zip, front pocket."""
    studio.stand(0, 0, 0.5, 0.22, -0.87)
    straps(studio, look)
    side_pockets(studio, look)
    shell = both_sides(sketch("0,0.8 0.26,0.77 0.46,0.6 0.54,0.3 0.56,-0.2 0.57,-0.6 0.52,-0.82 0.3,-0.88 0,-0.885"))
    body = studio.part(shell, look.main, rounding=0.16, relief=PACKED, lift=0.02)
    base = polygon("-0.7,-0.62 0.7,-0.62 0.7,-1 -0.7,-1")
    studio.part(
        base,
        look.accent(0.62),
        rounding=0,
        clip=body,
        relief=PACKED,
        opacity=0.92,
    )
    arch = both_sides(sketch("0,0.62 0.22,0.59 0.37,0.44 0.43,0.22"))
    zip_line(studio, arch, look, body)
    pocket = both_sides(join(sketch("0,0 0.3,-0.01 0.4,-0.08 0.43,-0.3 0.43,-0.6 0.38,-0.72 0,-0.74")))
    studio.part(pocket, look.second, rounding=0.1, lift=0.025, relief=PACKED)
    zip_line(studio, sketch("0.36,-0.13 0,-0.1 -0.36,-0.13"), look, None)
    label(studio, 0.0, 0.22)


def buckle(studio: Studio, x: float, top: float, bottom: float, strap: Paint) -> None:
    """A strap with a metal buckle."""
    studio.part(rounded(x - 0.045, bottom, x + 0.045, top, 0.02), strap, rounding=0.02, lift=0.012)
    y = bottom + 0.14
    ring = rounded(x - 0.07, y - 0.045, x + 0.07, y + 0.045, 0.02)
    hole = rounded(x - 0.045, y - 0.022, x + 0.045, y + 0.022, 0.01)
    studio.part(ring, trim("brass"), rounding=0.02, lift=0.008, holes=[hole])


def backpack_flap(studio: Studio, look: Look) -> None:
    """A rucksack: a flap held by two straps."""
    studio.stand(0, 0, 0.5, 0.22, -0.85)
    straps(studio, look)
    side_pockets(studio, look)
    shell = both_sides(sketch("0,0.66 0.3,0.64 0.5,0.54 0.56,0.2 0.58,-0.4 0.56,-0.74 0.46,-0.85 0,-0.87"))
    studio.part(shell, look.main, rounding=0.15, relief=PACKED, lift=0.02)
    pocket = both_sides(sketch("0,-0.22 0.36,-0.23 0.43,-0.3 0.44,-0.62 0.38,-0.75 0,-0.77"))
    studio.part(pocket, look.main, rounding=0.09, lift=0.02, relief=PACKED)
    lid = both_sides(sketch("0,0.74 0.34,0.73 0.53,0.6 0.59,0.3 0.58,0 0.5,-0.1 0,-0.13"))
    flap = studio.part(lid, look.second, rounding=0.12, lift=0.035, relief=PACKED)
    inner = both_sides(sketch("0,0.7 0.33,0.69 0.5,0.57 0.555,0.3 0.545,0.02 0.48,-0.065 0,-0.095"))
    studio.seam(np.vstack([inner, inner[:1]]), look.main, clip=flap)
    leather = Paint((128, 82, 48), FINISHES["leather"])
    for x in (-0.27, 0.27):
        buckle(studio, x, 0.12, -0.5, leather)
    label(studio, 0.0, 0.42)


def backpack_roll(studio: Studio, look: Look) -> None:
    """A roll-top: the mouth is rolled down and buckled at the sides."""
    studio.stand(0, 0, 0.46, 0.22, -0.87)
    straps(studio, look)
    shell = both_sides(sketch("0,0.58 0.46,0.57 0.5,0.4 0.5,-0.2 0.52,-0.62 0.49,-0.8 0.4,-0.87 0,-0.88"))
    body = studio.part(shell, look.main, rounding=0.13, relief=PACKED, lift=0.02)
    for y, half, high in ((0.5, 0.5, 0.12), (0.61, 0.52, 0.19)):
        roll = both_sides(
            curve(
                (0.0, y + high),
                (half * 0.8, y + high - 0.005),
                (half, y + high * 0.55),
                (half - 0.01, y + 0.02),
                (half * 0.8, y),
                (0.0, y - 0.015),
            )
        )
        studio.part(roll, look.second, rounding=0.07, lift=0.015)
    pocket = both_sides(join(polygon("0,-0.06 0.36,-0.06"), sketch("0.38,-0.09 0.39,-0.4 0.38,-0.66 0.34,-0.7 0,-0.7")))
    studio.part(pocket, look.plain.tinted(0.8), rounding=0.05, lift=0.02, relief=PACKED)
    zip_line(studio, polygon("0.32,-0.14 0.1,-0.14 -0.1,-0.14 -0.3,-0.14"), look, None)
    strap = trim("rubber", "nylon")
    studio.part(rounded(-0.035, -0.02, 0.035, 0.86, 0.02), strap, rounding=0.012, lift=0.012, clip=None)
    studio.part(rounded(-0.075, 0.16, 0.075, 0.34, 0.03), trim("rubber", "plastic"), rounding=0.03, lift=0.012)
    for y in (0.2, -0.5):
        studio.part(
            points((-0.6, y), (-0.36, y - 0.05), (-0.36, y - 0.09), (-0.6, y - 0.04)), strap, rounding=0.01, clip=body
        )
        studio.part(
            points((0.6, y), (0.36, y - 0.05), (0.36, y - 0.09), (0.6, y - 0.04)), strap, rounding=0.01, clip=body
        )
    label(studio, 0.0, -0.4)


SHAPES: Mapping[str, Drawing] = {
    "backpack-round": backpack_round,
    "backpack-flap": backpack_flap,
    "backpack-roll": backpack_roll,
}
