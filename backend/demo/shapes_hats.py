"""Brimmed hats."""

from collections.abc import Callable, Mapping

import numpy as np

from backend.demo.curves import Points, ellipse, join, polygon, sketch
from backend.demo.light import planes, to_linear
from backend.demo.look import Drawing, Look
from backend.demo.materials import FINISHES, TRIMS, Paint
from backend.demo.raster import Colours, smoothstep
from backend.demo.solids import Surface, turn
from backend.demo.studio import Studio


def banded(paint: Paint, low: float, high: float, *, straw: bool) -> Callable[[Surface, Colours], Colours]:
    """A ribbon round the crown between two heights, in `paint`'s colour."""
    colour = planes(to_linear(paint.colour))

    def relight(surface: Surface, albedo: Colours) -> Colours:
        inside = smoothstep(low - 0.008, low, surface.height) * (1 - smoothstep(high, high + 0.008, surface.height))
        inside = inside * (surface.radius < 0.62)
        weave = 0.92 + 0.08 * np.sin(surface.height * 420)
        if straw:
            albedo = albedo * (1 + 0.16 * np.sin(surface.place * 3.1) * np.sin(surface.angle * 70))
        return np.asarray(albedo + (colour * weave - albedo) * inside)

    return relight


def hat(studio: Studio, look: Look, brim: Points, crown: Points, band: tuple[float, float]) -> None:
    """A hat on the table: brim, crown, ribbon."""
    ink = Paint(TRIMS["ink"] if sum(look.main.colour) > 190 else TRIMS["sand"], look.main.finish)
    ribbon = look.second if look.two_tone else ink
    wide = float(brim[:, 0].max())
    studio.stand(0, 0, wide * 0.92, wide * 0.92, float(brim[0, 1]) - 0.02)
    straw = look.main.finish == FINISHES["straw"]
    turn(studio, brim, look.main, relight=banded(ribbon, 9, 10, straw=straw))
    base = float(crown[0, 0])
    ring = np.linspace(0, 2 * np.pi, 48)
    foot = np.stack([base * 1.02 * np.cos(ring), np.full(48, crown[0, 1]), base * 1.02 * np.sin(ring)], axis=1)
    studio.cast(studio.patch([foot]), 0.07, 0.45)
    turn(studio, crown, look.main, relight=banded(ribbon, *band, straw=straw))


def hat_fedora(studio: Studio, look: Look) -> None:
    """A felt fedora: tapered crown with a dent."""
    brim = sketch("0.86,-0.32 0.9,-0.31 0.905,-0.285 0.86,-0.28 0.7,-0.32 0.52,-0.31 0.5,-0.29")
    crown = join(
        sketch("0.52,-0.31 0.5,-0.2 0.46,0.1 0.42,0.3 0.37,0.37"), sketch("0.35,0.385 0.3,0.39 0.2,0.375 0,0.37")
    )
    hat(studio, look, brim, crown, (-0.27, -0.11))
    studio.cast(studio.patch([level(0.0, 0.02, 0.1, 0.26, 0.42)]), 0.035, 0.6)


def level(x: float, z: float, rx: float, rz: float, height: float) -> Points:
    """A level ellipse in space."""
    ring = ellipse(x, z, rx, rz, 48)
    return np.stack([ring[:, 0], np.full(48, height), ring[:, 1]], axis=1)


def hat_sun(studio: Studio, look: Look) -> None:
    """A wide sun hat with a round crown."""
    brim = sketch("0.9,-0.44 0.96,-0.43 0.965,-0.405 0.9,-0.37 0.7,-0.28 0.52,-0.2 0.46,-0.16")
    crown = sketch("0.48,-0.18 0.47,-0.05 0.45,0.1 0.38,0.25 0.26,0.34 0.12,0.38 0,0.39")
    hat(studio, look, brim, crown, (-0.15, -0.04))


def hat_boater(studio: Studio, look: Look) -> None:
    """A stiff boater: flat brim, flat top."""
    brim = sketch("0.84,-0.28 0.86,-0.275 0.865,-0.245 0.84,-0.235 0.6,-0.235 0.5,-0.235")
    crown = join(polygon("0.51,-0.24 0.5,-0.2 0.48,0.16"), sketch("0.475,0.19 0.45,0.215 0.2,0.22 0,0.22"))
    hat(studio, look, brim, crown, (-0.2, 0.0))


SHAPES: Mapping[str, Drawing] = {"hat-fedora": hat_fedora, "hat-sun": hat_sun, "hat-boater": hat_boater}
