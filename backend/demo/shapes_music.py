"""Guitars, from the front."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from backend.demo.camera import Frame
from backend.demo.curves import Points, both_sides, ellipse, flipped, join, moved, points, rounded, sketch
from backend.demo.look import Drawing, Look
from backend.demo.materials import FINISHES, Paint, shaded, trim
from backend.demo.raster import Field, Patch
from backend.demo.studio import Studio

SCALE_LENGTH = 1.2
"""Nut to saddle; the frets' places follow from it."""

NUT = 0.62

ELECTRIC_SADDLE = NUT - SCALE_LENGTH - 0.06
"""Electric guitars have their bridge a little lower on the body."""

BODY = Frame((0.0, -0.45, 0.0))
"""The plane of the top, about the body's middle."""


def arched(u: Field, v: Field) -> Field:
    """A barely arched top: without it a flat board mirrors one even grey."""
    return np.asarray(-0.1 * u * u - 0.06 * v * v, dtype=np.float32)


def neck(studio: Studio, *, foot: float, head: Points) -> None:
    """Fingerboard with frets and dots, headstock with six tuners."""
    for side in (-1, 1):
        for n in range(3):
            x, y = side * 0.115, 0.70 + 0.085 * n
            studio.part(rounded(x - 0.035, y - 0.012, x + 0.035, y + 0.012, 0.01), trim("steel"), rounding=0.012)
            studio.part(ellipse(x + side * 0.035, y, 0.02, 0.027, 24), trim("steel"), rounding=0.02, lift=0.006)
    studio.part(head, trim("walnut", "lacquer"), rounding=0.02, lift=0.008)
    board = points((-0.042, NUT), (0.042, NUT), (0.056, foot), (-0.056, foot))
    ebony = Paint((52, 38, 32), FINISHES["wood"])
    studio.part(board * (1.12, 1.0), trim("oak"), rounding=0.02, lift=0.012)
    fingerboard = studio.part(board, ebony, rounding=0.015, lift=0.006)
    frets = []
    for n in range(1, 18):
        y = NUT - SCALE_LENGTH * (1 - 2 ** (-n / 12))
        if y > foot:
            frets.append(rounded(-0.07, y - 0.004, 0.07, y + 0.004, 0.001))
    studio.part(frets, trim("steel"), rounding=0, clip=fingerboard)
    dots = [ellipse(0, NUT - SCALE_LENGTH * (1 - 2 ** (-(n - 0.5) / 12)), 0.011, 0.011, 16) for n in (3, 5, 7, 9)]
    studio.part(dots, trim("chalk"), rounding=0, clip=fingerboard)
    studio.part(rounded(-0.05, NUT - 0.01, 0.05, NUT + 0.012, 0.004), trim("cream", "plastic"), rounding=0.008)
    studio.part(
        [ellipse(s * 0.045, 0.70 + 0.085 * n, 0.014, 0.014, 16) for s in (-1, 1) for n in range(3)],
        trim("steel"),
        rounding=0.01,
    )


def strings(studio: Studio, saddle: float) -> None:
    """Six strings from the saddle to the nut, the thick ones on the left."""
    lines = []
    for n in range(6):
        low, high = -0.045 + 0.018 * n, -0.033 + 0.0132 * n
        half = 0.0034 - 0.0003 * n
        lines.append(
            points((low - half, saddle), (low + half, saddle), (high + half, NUT + 0.08), (high - half, NUT + 0.08))
        )
    studio.part(lines, trim("steel"), rounding=0, lift=0.008)


HEAD = both_sides(sketch("0,0.95 0.06,0.955 0.105,0.93 0.1,0.8 0.085,0.7 0.05,0.62 0,0.6"))


def varnish(studio: Studio, body: Patch) -> None:
    """The soft box mirrored in the varnish: a pale slanting band."""
    for x, wide, strength in ((-0.28, 0.16, 0.1), (0.0, 0.05, 0.07)):
        band = points((x, 0.3), (x + wide, 0.3), (x + wide - 0.4, -1.1), (x - 0.4, -1.1))
        studio.part(band, trim("chalk", "cotton"), rounding=0, clip=body, opacity=strength)


def acoustic(studio: Studio, look: Look, outline: Points, *, hole: float) -> None:
    """An acoustic guitar: sides, top, binding, sound hole, bridge, neck, strings."""
    finish = FINISHES["lacquer"]
    sides = look.accent(0.5).plain()
    # Wood grain on black or white paint would only look dusty.
    top = replace(look.main, finish=look.main.finish, wood=150 < sum(look.main.colour) < 650)
    if look.main.pattern == "burst":
        top = replace(top, second=shaded(look.main.colour, 0.28), scale=0.52)
    studio.part(outline * 1.012 + np.array([0.012, -0.012]), sides.tinted(0.7), rounding=0.04)
    studio.part(outline, replace(sides, finish=finish), rounding=0.02)
    middle = np.array(BODY.origin[:2])
    binding = studio.part((outline - middle) * 0.965, trim("cream", "plastic"), frame=BODY, rounding=0.0)
    face = studio.part((outline - middle) * 0.95, top, frame=BODY, rounding=0.02, relief=arched, clip=binding)
    varnish(studio, face)
    for radius, name in ((0.155, "cream"), (0.145, "walnut"), (0.13, "cream")):
        studio.part(ellipse(0, hole, radius, radius, 60), trim(name, "lacquer"), rounding=0)
    studio.part(ellipse(0, hole, 0.122, 0.122, 60), Paint((26, 18, 14), FINISHES["wood"]), rounding=0.05, puff=-1)
    guard = sketch("0.1,-0.1 0.17,0.02 0.2,-0.06 0.23,-0.2 0.14,-0.26 0.06,-0.15", closed=True)
    studio.part(moved(guard, y=hole), Paint((40, 24, 20), finish), rounding=0.01)
    bridge(studio, NUT - SCALE_LENGTH)
    neck(studio, foot=hole + 0.1, head=HEAD)
    strings(studio, NUT - SCALE_LENGTH)
    studio.drop_shadow(0.05, 0.55)


def bridge(studio: Studio, saddle: float) -> None:
    """The bridge with its saddle and six pins."""
    outline = both_sides(sketch("0,0.035 0.1,0.03 0.2,0.018 0.205,-0.02 0.1,-0.05 0,-0.055"))
    studio.part(moved(outline, y=saddle), Paint((50, 34, 28), FINISHES["wood"]), rounding=0.02, lift=0.012)
    bone = trim("cream", "plastic")
    studio.part(rounded(-0.075, saddle - 0.006, 0.075, saddle + 0.006, 0.004), bone, rounding=0.006)
    pins = [ellipse(-0.045 + 0.018 * n, saddle - 0.026, 0.008, 0.008, 12) for n in range(6)]
    studio.part(pins, bone, rounding=0.006)


def guitar_acoustic(studio: Studio, look: Look) -> None:
    """A broad-shouldered acoustic."""
    body = both_sides(
        sketch(
            "0,0.06 0.14,0.055 0.27,-0.01 0.315,-0.12 0.28,-0.25 0.27,-0.34 0.34,-0.48 "
            "0.405,-0.64 0.37,-0.82 0.22,-0.93 0,-0.95"
        )
    )
    acoustic(studio, look, body, hole=-0.19)


def guitar_cutaway(studio: Studio, look: Look) -> None:
    """An acoustic with a cutaway on the right."""
    left = flipped(
        sketch(
            "0.04,0.05 0.14,0.05 0.27,-0.01 0.315,-0.12 0.28,-0.25 0.27,-0.34 0.34,-0.48 "
            "0.405,-0.64 0.37,-0.82 0.22,-0.93 0,-0.95"
        )
    )
    right = sketch(
        "0.05,-0.05 0.1,-0.1 0.18,-0.08 0.26,0 0.31,-0.02 0.32,-0.12 0.285,-0.25 0.275,-0.34 "
        "0.34,-0.48 0.405,-0.64 0.37,-0.82 0.22,-0.93 0,-0.95"
    )
    acoustic(studio, look, join(right, left[::-1]), hole=-0.19)


def guitar_electric(studio: Studio, look: Look) -> None:
    """A solid-body electric with two horns and three pickups."""
    body = sketch(
        "0.08,-0.2 0.14,-0.12 0.2,0.02 0.27,0.04 0.3,-0.08 0.28,-0.26 0.27,-0.4 0.34,-0.58 "
        "0.37,-0.74 0.28,-0.9 0.06,-0.95 -0.2,-0.93 -0.36,-0.82 -0.39,-0.64 -0.31,-0.46 "
        "-0.27,-0.32 -0.31,-0.12 -0.34,0.08 -0.28,0.16 -0.2,0.08 -0.13,-0.06 -0.08,-0.14",
        closed=True,
    )
    paint = look.main
    if look.main.pattern == "burst":
        paint = replace(paint, second=shaded(look.main.colour, 0.22), scale=0.5)
    studio.part(body + np.array([0.012, -0.012]), look.plain.tinted(0.35), rounding=0.03)
    solid = studio.part(body - np.array(BODY.origin[:2]), paint, frame=BODY, rounding=0.06, relief=arched)
    varnish(studio, solid)
    guard = sketch(
        "0.06,-0.16 0.16,-0.14 0.23,-0.06 0.235,-0.26 0.22,-0.46 0.29,-0.62 0.26,-0.74 "
        "0.12,-0.66 -0.1,-0.6 -0.17,-0.4 -0.2,-0.16 -0.12,-0.12",
        closed=True,
    )
    plate = look.accent(0.92).plain()
    studio.part(guard, replace(plate, finish=FINISHES["plastic"]), rounding=0.012, lift=0.006)
    electrics(studio, "cream" if plate.colour[0] < 100 else "ink")
    head = join(
        sketch("-0.05,0.6 -0.07,0.68 -0.09,0.8 -0.08,0.95"),
        sketch("0,0.985 0.07,0.96 0.09,0.88 0.07,0.78 0.055,0.66 0.05,0.6"),
    )
    neck(studio, foot=-0.16, head=head)
    strings(studio, ELECTRIC_SADDLE)
    studio.drop_shadow(0.05, 0.55)


def electrics(studio: Studio, pickup: str) -> None:
    """Bridge, three pickups in the named trim, three knobs."""
    saddle = ELECTRIC_SADDLE
    steel, cover = trim("steel"), trim(pickup, "plastic")
    studio.part(rounded(-0.085, saddle - 0.05, 0.085, saddle + 0.02, 0.01), steel, rounding=0.02, lift=0.012)
    for y in (-0.24, -0.36, -0.5):
        studio.part(rounded(-0.075, y - 0.028, 0.075, y + 0.028, 0.026), cover, rounding=0.02, lift=0.008)
        studio.part([ellipse(-0.05 + 0.02 * n, y, 0.007, 0.007, 12) for n in range(6)], steel, rounding=0)
    for x, y in ((0.2, -0.6), (0.24, -0.69), (0.27, -0.78)):
        studio.part(ellipse(x, y, 0.032, 0.032, 32), trim("cream", "plastic"), rounding=0.03, lift=0.012)


SHAPES: Mapping[str, Drawing] = {
    "guitar-acoustic": guitar_acoustic,
    "guitar-cutaway": guitar_cutaway,
    "guitar-electric": guitar_electric,
}
