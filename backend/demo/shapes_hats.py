"""Brimmed hats."""

from collections.abc import Mapping

import numpy as np

from backend.demo.curves import Points, join, level, polygon, sketch
from backend.demo.light import planes, to_linear
from backend.demo.look import Drawing, Look
from backend.demo.materials import FINISHES, TRIMS, Paint
from backend.demo.raster import Colours, smoothstep
from backend.demo.solids import Relight, Surface, turn
from backend.demo.studio import Studio


def braided(surface: Surface, albedo: Colours) -> Colours:
    """The weave of straw: small bumps in rings round the hat."""
    return np.asarray(albedo * (1 + 0.16 * np.sin(surface.place * 3.1) * np.sin(surface.angle * 70)))


def banded(paint: Paint, low: float, high: float) -> Relight:
    """A ribbon round the crown between two heights, in `paint`'s colour."""
    colour = planes(to_linear(paint.colour))

    def relight(surface: Surface, albedo: Colours) -> Colours:
        inside = smoothstep(low - 0.008, low, surface.height) * (1 - smoothstep(high, high + 0.008, surface.height))
        weave = 0.92 + 0.08 * np.sin(surface.height * 420)
        return np.asarray(albedo + (colour * weave - albedo) * inside)

    return relight


def hat(studio: Studio, look: Look, brim: Points, crown: Points, band: tuple[float, float]) -> None:
    """A hat on the table: brim, crown, ribbon."""
    ink = Paint(TRIMS["ink"] if sum(look.main.colour) > 190 else TRIMS["sand"], look.main.finish)
    wide = float(brim[:, 0].max()) * 0.92
    studio.stand(0, 0, wide, wide, float(brim[0, 1]) - 0.02)
    texture = [braided] if look.main.finish == FINISHES["straw"] else []
    turn(studio, brim, look.main, relight=texture)
    base = float(crown[0, 0]) * 1.02
    studio.cast(studio.patch([level(base, base, float(crown[0, 1]))]), 0.07, 0.45)
    turn(studio, crown, look.main, relight=[*texture, banded(look.second if look.two_tone else ink, *band)])


def hat_fedora(studio: Studio, look: Look) -> None:
    """A felt fedora: tapered crown with a dent."""
    brim = sketch("0.86,-0.32 0.9,-0.31 0.905,-0.285 0.86,-0.28 0.7,-0.32 0.52,-0.31 0.5,-0.29")
    crown = join(
        sketch("0.52,-0.31 0.5,-0.2 0.46,0.1 0.42,0.3 0.37,0.37"), sketch("0.35,0.385 0.3,0.39 0.2,0.375 0,0.37")
    )
    hat(studio, look, brim, crown, (-0.27, -0.11))
    studio.cast(studio.patch([level(0.1, 0.26, 0.42, z=0.02)]), 0.035, 0.6)


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
