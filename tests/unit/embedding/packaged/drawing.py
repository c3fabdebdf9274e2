"""Synthetic pictures: drawn from formulas, so that every machine draws the same ones."""

import numpy as np

from backend.domain.picture import Pixels

WHITE = (250, 250, 250)
RED = (205, 25, 35)
BLUE = (30, 70, 180)


def plain(colour: tuple[int, int, int], height: int = 400, width: int = 400) -> Pixels:
    return np.full((height, width, 3), colour, dtype=np.uint8)


def box_on(
    background: tuple[int, int, int], colour: tuple[int, int, int], height: int = 400, width: int = 400
) -> Pixels:
    """A coloured box over the middle half."""
    picture = plain(background, height, width)
    picture[height // 4 : height * 3 // 4, width // 4 : width * 3 // 4] = colour
    return picture


def disc_on(
    background: tuple[int, int, int], colour: tuple[int, int, int], height: int = 400, width: int = 400
) -> Pixels:
    picture = plain(background, height, width)
    y, x = np.mgrid[:height, :width]
    inside = (x - width / 2) ** 2 + (y - height / 2) ** 2 < (min(height, width) * 0.3) ** 2
    picture[inside] = colour
    return picture


def waves(height: int = 500, width: int = 390) -> Pixels:
    """A smooth pattern with all colours in it."""
    y, x = np.mgrid[:height, :width]
    channels = [127.5 + 127.5 * np.sin(x / (11 + 7 * k) + y / (23 - 5 * k) + k) for k in range(3)]
    return np.stack(channels, axis=-1).astype(np.uint8)


def checks(cell: int = 25, side: int = 420) -> Pixels:
    y, x = np.mgrid[:side, :side]
    return np.where(((x // cell + y // cell) % 2)[..., None], RED, WHITE).astype(np.uint8)


def noise(seed: int = 7, height: int = 390, width: int = 600) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


GALLERY: dict[str, Pixels] = {
    "red box": box_on(WHITE, RED),
    "blue disc": disc_on((190, 185, 170), BLUE, 390, 520),
    "waves": waves(),
    "checks": checks(),
    "noise": noise(),
    "small": disc_on(WHITE, (60, 130, 60), 64, 48),
}
