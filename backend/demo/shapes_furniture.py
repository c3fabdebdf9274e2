"""Chairs and sofas."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from backend.demo.blocks import block
from backend.demo.camera import Frame
from backend.demo.curves import both_sides, sketch
from backend.demo.look import Drawing, Look
from backend.demo.materials import FINISHES, Paint, trim
from backend.demo.raster import Field
from backend.demo.studio import Relief, Studio
from backend.demo.tubes import rod

# --- chairs -----------------------------------------------------------------------------------------------------------


def legs(
    studio: Studio, paint: Paint, *, x: float, z: float, top: float, floor: float, spread: float, width: float
) -> None:
    """Four tapering legs, the far ones first, each with its own small shadow on the floor."""
    places = [(sx, sz) for sx in (-1, 1) for sz in (-1, 1)]
    studio.stand(0, 0, (x + spread) * 1.05, (z + spread) * 1.05, floor, strength=0.5, box=True)
    for sx, sz in sorted(places, key=lambda place: studio.camera.depth(np.array([[place[0] * x, 0, place[1] * z]]))):
        foot = (sx * (x + spread), floor, sz * (z + spread))
        studio.stand(foot[0], foot[2], width * 0.6, width * 0.6, floor, strength=0.8)
        rod(studio, (sx * x, top, sz * z), foot, (width, width * 0.62), paint)


def chair_dining(studio: Studio, look: Look) -> None:
    """A dining chair: padded seat and back on oak."""
    wood = trim("oak")
    back = look.second
    legs(studio, wood, x=0.37, z=0.35, top=-0.04, floor=-0.92, spread=0.04, width=0.085)
    for x in (-0.33, 0.33):
        rod(studio, (x, -0.02, -0.36), (x, 0.62, -0.47), (0.08, 0.055), wood)
    block(studio, (-0.4, 0.28, -0.5), (0.4, 0.9, -0.4), back, rounding=0.05, lean=9, puff=0.8, lift=0.03)
    block(studio, (-0.44, -0.14, -0.42), (0.44, -0.06, 0.42), wood, rounding=0.02)
    block(studio, (-0.46, -0.08, -0.42), (0.46, 0.06, 0.45), look.main, rounding=0.06, puff=0.8, lift=0.02)


def chair_slat(studio: Studio, look: Look) -> None:
    """A painted wooden chair with a ladder back."""
    paint = replace(look.plain, finish=FINISHES["lacquer"] if look.main.finish.gloss else look.main.finish)
    seat = look.second
    legs(studio, paint, x=0.37, z=0.35, top=-0.04, floor=-0.92, spread=0.03, width=0.085)
    for height in (-0.55, -0.62):
        rod(studio, (-0.38, height, 0.36), (0.38, height, 0.36), (0.045, 0.045), paint)
    for x in (-0.37, 0.37):
        rod(studio, (x, -0.04, -0.37), (x, 0.92, -0.5), (0.085, 0.06), paint)
    for n, y in enumerate((0.22, 0.48, 0.74)):
        z = -0.41 - 0.035 * n
        block(
            studio, (-0.37, y - 0.065, z - 0.02), (0.37, y + 0.065, z + 0.02), paint, rounding=0.02, lean=8, lift=0.01
        )
    block(studio, (-0.45, -0.08, -0.43), (0.45, 0.01, 0.45), seat, rounding=0.03, lift=0.02)


def chair_shell(studio: Studio, look: Look) -> None:
    """A moulded shell on four splayed dowels."""
    wood = trim("oak")
    legs(studio, wood, x=0.24, z=0.22, top=-0.12, floor=-0.92, spread=0.2, width=0.065)
    under = look.plain.tinted(0.55)
    back = Frame((0.0, 0.0, -0.3), (1.0, 0.0, 0.0), (0.0, 0.966, -0.26))
    shell = both_sides(sketch("0,0.9 0.26,0.88 0.43,0.72 0.49,0.42 0.47,0.12 0.44,-0.06 0.3,-0.12 0,-0.12"))
    studio.part(shell * 1.015, under, frame=Frame((0.0, -0.01, -0.33), back.right, back.up), rounding=0.02)
    studio.part(shell, look.second, frame=back, rounding=0.2, puff=-0.55)
    seat = Frame((0.0, -0.06, 0.05), (1.0, 0.0, 0.0), (0.0, 0.06, -0.998))
    pan = both_sides(sketch("0,0.42 0.36,0.4 0.47,0.28 0.5,0 0.48,-0.28 0.38,-0.43 0,-0.46"))
    studio.part(pan, under, frame=Frame((0.0, -0.11, 0.05), seat.right, seat.up), rounding=0.03)
    studio.part(pan, look.main, frame=seat, rounding=0.16, puff=-0.4)


# --- sofas ------------------------------------------------------------------------------------------------------------


def creases(amount: float, seed: float) -> Relief:
    """The slight waves of a cushion's cover."""

    def relief(u: Field, v: Field) -> Field:
        wave = np.sin(u * 7 + seed + 2 * np.sin(v * 5 + seed)) + 0.6 * np.sin(v * 11 - u * 6 + 2 * seed)
        return np.asarray(np.float32(amount) * wave, dtype=np.float32)

    return relief


def sofa(studio: Studio, look: Look, *, seats: int, arm: float, height: float, cushions: bool) -> None:
    """A sofa seen a little from above: back, far arm, base, cushions, near arm, throw pillows."""
    wide, base = 0.93, -0.46
    studio.stand(0, 0, wide * 0.98, 0.42, base - 0.1, box=True)
    for x in (-wide + 0.08, wide - 0.08):
        for z in (-0.34, 0.32):
            rod(studio, (x, base + 0.04, z), (x * 1.01, base - 0.1, z), (0.06, 0.04), trim("walnut"))
    block(studio, (-wide + 0.04, base, -0.42), (wide - 0.04, height, -0.18), look.main, rounding=0.07, lean=4)
    arms = [((-wide, base, -0.4), (-wide + arm, 0.1, 0.4)), ((wide - arm, base, -0.4), (wide, 0.1, 0.4))]
    arms.sort(key=lambda corners: studio.camera.depth(np.array(corners)))
    block(studio, *arms[0], look.main, rounding=0.07, lift=0.02)
    block(studio, (-wide + 0.05, base, -0.36), (wide - 0.05, -0.2, 0.36), look.main, rounding=0.03)
    inner = wide - arm
    edges = [
        (-inner + n * 2 * inner / seats + 0.004, -inner + (n + 1) * 2 * inner / seats - 0.004) for n in range(seats)
    ]
    soft = {"puff": 0.8, "lift": 0.025}
    for n, (x0, x1) in enumerate(edges):
        low, high = (x0, -0.1, -0.24), (x1, height - 0.03, -0.02)
        block(studio, low, high, look.main, rounding=0.1, lean=12, relief=creases(0.004, n), **soft)
    for n, (x0, x1) in enumerate(edges):
        low, high = (x0, -0.22, -0.16), (x1, -0.05, 0.41)
        block(studio, low, high, look.second, rounding=0.06, relief=creases(0.003, n + 2), **soft)
    if cushions:
        for x, degrees in ((-inner + 0.2, -8), (inner - 0.2, 8)):
            throw_pillow(studio, replace(look.inside, finish=look.main.finish), x, degrees)
    block(studio, *arms[1], look.main, rounding=0.07, lift=0.02)


def throw_pillow(studio: Studio, paint: Paint, x: float, degrees: float) -> None:
    """A small square pillow leaning on the back."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    frame = Frame((x, 0.1, 0.08), (c, s, 0.0), (-s * 0.94, c * 0.94, -0.34))
    pillow = sketch("-0.17,-0.17 0,-0.145 0.17,-0.17 0.145,0 0.17,0.17 0,0.145 -0.17,0.17 -0.145,0", closed=True)
    studio.part(pillow, paint, frame=frame, rounding=0.09, puff=0.9, lift=0.03)


def sofa_three(studio: Studio, look: Look) -> None:
    """Three seats, slim arms."""
    sofa(studio, look, seats=3, arm=0.16, height=0.36, cushions=False)


def sofa_two(studio: Studio, look: Look) -> None:
    """Two seats, broad arms, two throw pillows."""
    sofa(studio, look, seats=2, arm=0.24, height=0.42, cushions=True)


def sofa_bench(studio: Studio, look: Look) -> None:
    """One long seat cushion, low back."""
    sofa(studio, look, seats=1, arm=0.19, height=0.3, cushions=True)


SHAPES: Mapping[str, Drawing] = {
    "chair-dining": chair_dining,
    "chair-slat": chair_slat,
    "chair-shell": chair_shell,
    "sofa-three": sofa_three,
    "sofa-two": sofa_two,
    "sofa-bench": sofa_bench,
}
