"""What products are made of: colours by name, materials by name, and how unevenly they take the light."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from PIL import Image

from backend.demo.light import Finish, planes, to_linear
from backend.demo.patterns import PATTERNS
from backend.demo.raster import Colours, Field

Rgb: TypeAlias = tuple[float, float, float]

PALETTE: Mapping[str, Rgb] = {
    "black": (38, 38, 41),
    "white": (240, 239, 235),
    "grey": (138, 140, 143),
    "red": (196, 34, 40),
    "orange": (236, 122, 28),
    "yellow": (245, 203, 48),
    "green": (44, 132, 70),
    "blue": (38, 92, 190),
    "purple": (118, 62, 156),
    "pink": (240, 144, 176),
    "brown": (122, 76, 44),
}
"""The eleven basic colour terms of English (Berlin and Kay, "Basic Color Terms", 1969), screen RGB 0 to 255.

Any photo search that knows colours by name knows these; finer names would make the truth a matter of opinion.
"""

TRIMS: Mapping[str, Rgb] = {
    "steel": (186, 189, 194),
    "brass": (196, 152, 78),
    "oak": (190, 142, 92),
    "walnut": (98, 64, 42),
    "rubber": (44, 44, 46),
    "chalk": (232, 230, 224),
    "cream": (240, 230, 208),
    "ink": (34, 36, 44),
    "sand": (214, 192, 156),
}
"""Colours of parts that are not the product's own colour: legs, zips, soles, strings."""

FINISHES: Mapping[str, Finish] = {
    "cotton": Finish(fuzz=0.14, grain=0.05),
    "linen": Finish(fuzz=0.1, grain=0.11),
    "wool": Finish(fuzz=0.26, grain=0.13),
    "felt": Finish(fuzz=0.3, grain=0.07),
    "velvet": Finish(fuzz=0.42, grain=0.04),
    "silk": Finish(gloss=0.55, blur=0.8, fuzz=0.1, grain=0.02),
    "canvas": Finish(fuzz=0.08, grain=0.12),
    "nylon": Finish(gloss=0.4, blur=0.75, grain=0.06),
    "leather": Finish(gloss=0.45, blur=0.55, grain=0.08),
    "mesh": Finish(gloss=0.1, blur=0.8, grain=0.12),
    "straw": Finish(gloss=0.15, blur=0.7, grain=0.1),
    "ceramic": Finish(gloss=1.0, blur=0.08),
    "porcelain": Finish(gloss=1.15, blur=0.04),
    "stoneware": Finish(gloss=0.45, blur=0.5, grain=0.1),
    "enamel": Finish(gloss=1.0, blur=0.14),
    "steel": Finish(gloss=0.9, blur=0.35, metal=0.55),
    "brass": Finish(gloss=1.0, blur=0.3, metal=0.7),
    "plastic": Finish(gloss=0.7, blur=0.28),
    "acetate": Finish(gloss=1.0, blur=0.1),
    "wood": Finish(gloss=0.35, blur=0.5, grain=0.05),
    "lacquer": Finish(gloss=1.0, blur=0.07),
    "rubber": Finish(gloss=0.2, blur=0.8, grain=0.03),
    "paper": Finish(grain=0.04),
    "spruce": Finish(gloss=1.0, blur=0.07),
    "cedar": Finish(gloss=0.6, blur=0.3),
    "maple": Finish(gloss=1.0, blur=0.07),
    "polyester": Finish(gloss=0.25, blur=0.8, grain=0.05),
    "metal": Finish(gloss=1.0, blur=0.2),
    "lens": Finish(gloss=1.2, blur=0.1),
}


@dataclass(frozen=True, slots=True)
class Paint:
    """A surface: its colour, the pattern and second colour on it, and its finish."""

    colour: Rgb
    finish: Finish
    second: Rgb = (255.0, 255.0, 255.0)
    pattern: str = "plain"
    scale: float = 1.0
    wood: bool = False

    def albedo(self, u: Field, v: Field, pixel: float) -> Colours:
        """The colour at the places (u, v) of the surface, linear: (3, height, width), or (3, 1, 1) where it is one.

        `pixel` is the size of a pixel in the units of u and v.
        """
        base = planes(to_linear(self.colour))
        if self.wood:
            base = base * (1 - 0.3 * wood_rings(u, v))
        if self.pattern == "plain":
            return base
        share = PATTERNS[self.pattern](u / self.scale, v / self.scale, pixel / self.scale)
        return np.asarray(base + (planes(to_linear(self.second)) - base) * share)

    def plain(self) -> "Paint":
        """The same surface without its pattern."""
        return replace(self, pattern="plain")

    def tinted(self, factor: float) -> "Paint":
        """The same surface, darker (below 1) or paler (above 1)."""
        return replace(self, colour=shaded(self.colour, factor), second=shaded(self.second, factor))


def shaded(rgb: Rgb, factor: float) -> Rgb:
    """A colour made darker (factor below 1) or moved towards white (above 1)."""
    if factor <= 1:
        r, g, b = (value * factor for value in rgb)
    else:
        r, g, b = (255 - (255 - value) / factor for value in rgb)
    return r, g, b


def trim(name: str, finish: str | None = None) -> Paint:
    """The paint of a part that has its own colour: `trim("oak")`, `trim("chalk", "rubber")`."""
    known = {"oak": "wood", "walnut": "wood", "steel": "steel", "brass": "brass", "rubber": "rubber"}
    return Paint(TRIMS[name], FINISHES[finish or known.get(name, "plastic")], wood=name in ("oak", "walnut"))


@lru_cache(maxsize=8)
def noise_tile(size: int, grains: int) -> Field:
    """A square of smooth noise, -1 to 1, that repeats without a seam; `grains` bumps across. Always the same one."""
    values = np.random.Generator(np.random.PCG64(grains)).uniform(-1, 1, (grains, grains)).astype(np.float32)
    ring = np.pad(values, 4, mode="wrap")
    big = Image.fromarray(ring).resize((size * (grains + 8) // grains,) * 2, Image.Resampling.BICUBIC)
    start = 4 * size // grains
    return np.asarray(big)[start : start + size, start : start + size].copy()


def noise(u: Field, v: Field, grains: int = 32) -> Field:
    """Smooth noise at the places (u, v), about -1 to 1; one bump is 1 / grains wide and the noise repeats after 1."""
    size = 512
    tile = noise_tile(size, grains)
    columns = (u * size).astype(np.int32) & (size - 1)
    rows = (v * size).astype(np.int32) & (size - 1)
    return np.asarray(tile[rows, columns])


def wood_rings(u: Field, v: Field) -> Field:
    """Growth rings along v: how dark, 0 to 1."""
    wavy = u * 9 + 1.1 * noise(u * 0.35 + 0.3, v * 0.16, 8)
    rings = np.abs((wavy - np.floor(wavy)) * 2 - 1)
    return np.asarray(0.65 * rings**2 + 0.35 * np.maximum(noise(u * 1.7, v * 0.12, 64), 0))
