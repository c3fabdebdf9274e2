"""T-shirts and dresses, photographed from the front as on an invisible body."""

from collections.abc import Mapping

import numpy as np

from backend.demo.curves import Points, both_sides, curve, flipped, join, points, polygon, rounded, sketch
from backend.demo.folds import Crease, creased, draped, rounded_across, together
from backend.demo.look import Drawing, Look
from backend.demo.materials import Paint, trim
from backend.demo.studio import Studio

# --- T-shirts ---------------------------------------------------------------------------------------------------------

TORSO = together(
    rounded_across(0.5, 0.13),
    creased(
        [
            Crease(0.44, 0.24, 0.16, 0.02, 0.035, 0.034),
            Crease(0.45, 0.18, 0.24, -0.16, 0.03, -0.0272),
            Crease(0.46, 0.1, 0.3, -0.38, 0.03, 0.0238),
            Crease(0.4, 0.34, 0.12, 0.3, 0.04, 0.0238),
            Crease(0.3, -0.78, 0.22, -0.2, 0.045, 0.0306),
            Crease(0.12, -0.8, 0.1, -0.36, 0.05, -0.0238),
            Crease(0.42, -0.8, 0.38, -0.44, 0.03, -0.0238),
        ],
        mirrored=True,
    ),
    creased([Crease(-0.1, -0.1, 0.25, -0.3, 0.05, 0.0204), Crease(0.05, 0.16, -0.22, 0.02, 0.05, -0.017)]),
)
"""Folds of a worn shirt: they start under the arms and at the hem."""

SLEEVE = creased(
    [
        Crease(0.5, 0.34, 0.7, 0.42, 0.03, 0.0306),
        Crease(0.54, 0.26, 0.74, 0.26, 0.025, -0.0238),
        Crease(0.56, 0.52, 0.66, 0.3, 0.035, 0.0238),
    ],
    mirrored=True,
)


def t_shirt(
    studio: Studio, look: Look, neck: Points, *, long: float = 0.0, wide: float = 0.0, band: float = 0.055
) -> None:
    """A T-shirt: back neck, sleeves, body, collar. `neck` is the right half of the neckline, middle first."""
    side = look.second
    inside = look.plain.tinted(0.6)
    back = both_sides(join(sketch("0,0.7 0.12,0.715 0.24,0.76"), polygon("0.26,0.7 0.1,0.4 0,0.35")))
    studio.part(back, inside, rounding=0)
    studio.part(rounded(-0.05, 0.585, 0.05, 0.665, 0.006), trim("chalk", "cotton"), rounding=0)
    for turn in (lambda line: line, flipped):
        sleeve = join(
            curve((0.36, 0.7), (0.48, 0.66), (0.58, 0.58), (0.7, 0.4), (0.83 + long * 0.35, 0.14 - long)),
            curve(
                (0.815 + long * 0.35, 0.11 - long),
                (0.72 + long * 0.2, 0.05 - long),
                (0.6 + long * 0.1, 0.02 - long * 0.95),
            ),
            curve((0.575 + long * 0.1, 0.04 - long), (0.51, 0.2), (0.45, 0.32), (0.36, 0.4)),
        )
        arm = studio.part(turn(sleeve), side, rounding=0.06, relief=SLEEVE, lift=0.012)
        hem = curve(
            (0.86 + long * 0.35, 0.18 - long), (0.72 + long * 0.2, 0.105 - long), (0.55 + long * 0.1, 0.07 - long)
        )
        studio.seam(turn(hem), side, clip=arm)
    shape = both_sides(
        join(
            neck,
            sketch("0.25,0.755 0.36,0.705 0.475,0.66"),
            sketch("0.49,0.64 0.45,0.5 0.445,0.38 0.465,0.29"),
            curve((0.465 + wide / 2, 0.27), (0.45 + wide, -0.1), (0.455 + wide, -0.5), (0.465 + wide, -0.82)),
            curve((0.45 + wide, -0.835), (0.2, -0.85), (0.0, -0.855)),
        )
    )
    body = studio.part(shape, look.main, rounding=0.035, relief=TORSO, lift=0.014)
    studio.seam(sketch("-0.6,-0.775 -0.2,-0.79 0.2,-0.79 0.6,-0.775"), look.main, clip=body)
    collar(studio, side.plain(), neck, band)


def collar(studio: Studio, paint: Paint, neck: Points, band: float) -> None:
    """A ribbed band along the neckline, front and back."""
    whole = join(flipped(neck)[::-1], neck[1:])
    rear = sketch("-0.235,0.745 -0.12,0.705 0,0.69 0.12,0.705 0.235,0.745")
    studio.line(rear, band * 0.8, paint.tinted(0.72))
    studio.line(whole, band, paint, lift=0.008)


def shirt_crew(studio: Studio, look: Look) -> None:
    """The plain round neck."""
    t_shirt(studio, look, sketch("0,0.545 0.1,0.565 0.18,0.63 0.235,0.75"))
    studio.drop_shadow(0.035, 0.5)


def shirt_v_neck(studio: Studio, look: Look) -> None:
    """A V-neck."""
    t_shirt(studio, look, sketch("0,0.4 0.1,0.52 0.19,0.65 0.235,0.75"), band=0.045)
    studio.drop_shadow(0.035, 0.5)


def shirt_loose(studio: Studio, look: Look) -> None:
    """A loose cut with longer sleeves and a chest pocket."""
    t_shirt(studio, look, sketch("0,0.575 0.1,0.595 0.18,0.65 0.235,0.75"), long=0.12, wide=0.05, band=0.07)
    pocket = join(polygon("0.12,0.3 0.36,0.3 0.36,0.09"), sketch("0.35,0.07 0.24,0.02 0.13,0.07"), polygon("0.12,0.09"))
    side = look.second
    studio.part(pocket, side, rounding=0.012, lift=0.008)
    studio.seam(polygon("0.12,0.265 0.36,0.265"), side)
    studio.drop_shadow(0.035, 0.5)


# --- dresses ----------------------------------------------------------------------------------------------------------


def hem_line(half: float, y: float, folds: int, depth: float) -> Points:
    """The right half of a wavy hem, from the side to the middle."""
    t = np.linspace(1, 0, 40)
    wave = depth * np.sin(t * folds * np.pi / 2 + 0.7 * np.sin(t * folds * np.pi / 2 * 0.6 + 1))
    return np.stack([half * t, y - 0.05 * (1 - t * t) + wave], axis=1)


WAIST = 0.225
"""Half the width of a dress at its waist."""


def dress(
    studio: Studio, look: Look, neck: Points, arm: Points, *, waist: float, hem: float, flare: float, folds: int
) -> None:
    """A dress: back neck, skirt, bodice, waistband. `neck` and `arm` are the right half's, from the middle out."""
    low, shoulder = neck[0], neck[-1]
    rear = curve((0.0, shoulder[1] - 0.12), (shoulder[0] * 0.6, shoulder[1] - 0.1), tuple(shoulder))
    lining = both_sides(join(rear, neck[::-1] + np.array([0.02, -0.02]), points((0.0, low[1] - 0.05))))
    studio.part(lining, look.plain.tinted(0.55), rounding=0)
    wide = WAIST + flare
    side = curve(
        (WAIST, waist + 0.03),
        (WAIST + 0.05 + flare * 0.1, waist - 0.1),
        (WAIST + flare * 0.62, (waist + hem) / 2),
        (wide, hem),
    )
    skirt = both_sides(join(points((0.0, waist + 0.03)), side, hem_line(wide, hem, folds, 0.016)))
    studio.part(skirt, look.main, rounding=0.03, relief=draped(waist, hem, flare, WAIST, folds, 0.045))
    bodice(studio, look.second, neck, arm, waist)
    studio.drop_shadow(0.04, 0.45)


def bodice(studio: Studio, paint: Paint, neck: Points, arm: Points, waist: float) -> None:
    """The upper part of a dress, its neckline and its waistband."""
    under = float(arm[-1, 1])
    side = curve(
        tuple(arm[-1]), (0.275, (under * 2 + waist) / 3), (0.24, (under + waist * 2) / 3), (WAIST + 0.004, waist)
    )
    darts = [
        Crease(0.15, waist, 0.14, 0.5, 0.03, -0.016),
        Crease(0.26, 0.46, 0.1, 0.4, 0.04, 0.03),
        Crease(0.22, waist + 0.05, 0.02, waist + 0.18, 0.03, 0.014),
    ]
    relief = together(rounded_across(0.3, 0.12), creased(darts, mirrored=True))
    outline = both_sides(join(neck, arm, side, points((0.0, waist - 0.012))))
    studio.part(outline, paint, rounding=0.04, relief=relief, lift=0.008)
    edge = paint.plain().tinted(0.8)
    studio.line(join(flipped(neck)[::-1], neck[1:]), 0.016, edge)
    half = WAIST + 0.008
    belt = join(
        curve((-half, waist + 0.03), (0.0, waist + 0.012), (half, waist + 0.03)),
        curve((half, waist - 0.03), (0.0, waist - 0.048), (-half, waist - 0.03)),
    )
    studio.part(belt, edge, rounding=0.02, lift=0.006, relief=rounded_across(0.24, 0.1))


def dress_skater(studio: Studio, look: Look) -> None:
    """Sleeveless, round neck, a flared skirt to the knee."""
    neck = sketch("0,0.72 0.1,0.74 0.155,0.82 0.165,0.92")
    arm = sketch("0.25,0.915 0.24,0.78 0.235,0.66 0.285,0.54")
    dress(studio, look, neck, arm, waist=0.2, hem=-0.78, flare=0.4, folds=9)


def dress_maxi(studio: Studio, look: Look) -> None:
    """Thin straps, a V-neck, a skirt to the floor."""
    neck = sketch("0,0.58 0.08,0.67 0.15,0.78 0.175,0.95")
    arm = sketch("0.2,0.95 0.21,0.8 0.24,0.66 0.285,0.55")
    dress(studio, look, neck, arm, waist=0.32, hem=-0.9, flare=0.27, folds=7)


def dress_sleeved(studio: Studio, look: Look) -> None:
    """Short puffed sleeves, a square neck, a full skirt."""
    neck = join(polygon("0,0.68 0.13,0.685"), sketch("0.15,0.7 0.17,0.8 0.18,0.92"))
    side = look.second
    for turn in (lambda line: line, flipped):
        sleeve = sketch("0.2,0.9 0.3,0.9 0.42,0.78 0.45,0.62 0.4,0.54 0.3,0.52 0.24,0.6", closed=True)
        folds = creased(
            [
                Crease(0.42, 0.55, 0.32, 0.8, 0.02, 0.0255),
                Crease(0.36, 0.53, 0.28, 0.78, 0.02, -0.0238),
                Crease(0.32, 0.88, 0.36, 0.66, 0.025, 0.0238),
            ],
            mirrored=True,
        )
        studio.part(turn(sleeve), side, rounding=0.08, relief=folds)
        studio.line(turn(sketch("0.46,0.585 0.4,0.535 0.29,0.515")), 0.03, side.plain().tinted(0.85))
    arm = sketch("0.27,0.9 0.29,0.78 0.27,0.66 0.285,0.54")
    dress(studio, look, neck, arm, waist=0.22, hem=-0.7, flare=0.46, folds=11)


SHAPES: Mapping[str, Drawing] = {
    "t-shirt-crew": shirt_crew,
    "t-shirt-v-neck": shirt_v_neck,
    "t-shirt-loose": shirt_loose,
    "dress-skater": dress_skater,
    "dress-maxi": dress_maxi,
    "dress-sleeved": dress_sleeved,
}
