"""Folds, creases and curvature of cloth, as heights over a surface."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from backend.demo.raster import Field
from backend.demo.studio import Relief


class Crease(NamedTuple):
    """A fold from (x0, y0), where it is deepest, to (x1, y1), where it has run out."""

    x0: float
    y0: float
    x1: float
    y1: float
    width: float
    depth: float


def creased(creases: Sequence[Crease], *, mirrored: bool = False) -> Relief:
    """The sum of some creases, and of their mirror images where asked for."""
    every = list(creases)
    if mirrored:
        every += [Crease(-c.x0, c.y0, -c.x1, c.y1, c.width, c.depth * 0.85) for c in creases]

    def relief(u: Field, v: Field) -> Field:
        height: Field = np.zeros(u.shape, np.float32)
        for c in every:
            dx, dy = c.x1 - c.x0, c.y1 - c.y0
            length = (dx * dx + dy * dy) ** 0.5
            along = ((u - c.x0) * dx + (v - c.y0) * dy) / length**2
            # A little bend: no fold of real cloth is straight.
            across = ((u - c.x0) * dy - (v - c.y0) * dx) / length + 0.03 * np.sin(along * 4 + c.x0 * 9)
            run = np.clip(along, -0.15, 1)
            fade = np.where(along < 0, 1 - np.abs(run) / 0.15, 1 - run) * (along < 1)
            height += (
                np.float32(c.depth) * fade * np.exp(-((across / (c.width * (0.6 + 0.8 * np.maximum(run, 0)))) ** 2))
            )
        return np.asarray(height, dtype=np.float32)

    return relief


def rounded_across(half_width: float, height: float, middle: float = 0.0) -> Relief:
    """Cloth over a body: highest in the middle, falling away to both sides."""

    def relief(u: Field, v: Field) -> Field:
        t = (u - middle) / half_width
        return np.asarray(-np.float32(height) * t * t + 0 * v, dtype=np.float32)

    return relief


def draped(waist: float, hem: float, flare: float, narrow: float, folds: int, depth: float) -> Relief:
    """A skirt: folds that fan out from the waist and deepen towards the hem (heights `waist` and `hem`).

    `narrow` and `narrow + flare` are the half widths at waist and hem.
    """

    def relief(u: Field, v: Field) -> Field:
        down = np.clip((waist - v) / (waist - hem), 0, 1.1)
        around = u / (narrow + flare * down)
        phase = around * folds * np.pi / 2
        wave = np.sin(phase + 0.7 * np.sin(phase * 0.6 + 1.0)) + 0.35 * np.sin(2.3 * phase + 2.0 * down)
        return np.asarray(np.float32(depth) * down**0.7 * wave - 0.05 * around * around, dtype=np.float32)

    return relief


def together(*reliefs: Relief) -> Relief:
    """Several reliefs on one another."""

    def relief(u: Field, v: Field) -> Field:
        total: Field = np.zeros(u.shape, np.float32)
        for one in reliefs:
            total += one(u, v)
        return total

    return relief
