"""The camera: turns a product's own units into pixels, and pixels back into places on a plane of the product."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.demo.curves import Points
from backend.demo.raster import Field

DISTANCE = 9.0
"""Camera distance in product units: about a 90 mm portrait lens, the usual choice for products (little distortion)."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A plane in the product: where its own x and y axes lie in space."""

    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    right: tuple[float, float, float] = (1.0, 0.0, 0.0)
    up: tuple[float, float, float] = (0.0, 1.0, 0.0)

    def to_space(self, outline: Points) -> Points:
        """Points of the plane, (n, 2), as points in space, (n, 3). Points already in space pass unchanged."""
        if outline.shape[1] == 3:
            return outline
        along = outline[:, :1] * np.array(self.right) + outline[:, 1:] * np.array(self.up)
        return np.asarray(np.array(self.origin) + along)

    @property
    def normal(self) -> Points:
        """The direction the plane faces, unit length."""
        across = np.cross(self.right, self.up)
        return np.asarray(across / np.linalg.norm(across))


FRONT = Frame()
"""The plane that faces the viewer when the camera is not turned."""


def turned(yaw: float, pitch: float) -> NDArray[np.float64]:
    """The rotation, (3, 3), of a camera that walks `yaw` degrees round a product and looks `pitch` degrees down."""
    a, b = np.radians(yaw), np.radians(pitch)
    about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    return np.asarray(about_x @ about_y)


class Camera:
    """One camera position. Angles in degrees; `zoom` 1 lets the units -1 to 1 fill the picture."""

    def __init__(
        self, side: int, *, yaw: float, pitch: float, roll: float, zoom: float, shift: tuple[float, float]
    ) -> None:
        self.side = side
        self.yaw = yaw
        self.pitch = pitch
        self.unit = side / 2 * zoom  # pixels of one product unit
        self.rotation = turned(yaw, pitch)
        c, s = float(np.cos(np.radians(roll))), float(np.sin(np.radians(roll)))
        x, y = side * (0.5 + shift[0]), side * (0.5 - shift[1])
        self._roll, self._middle = (c, s), (x, y)
        # Rows: pixel x, pixel y (downwards), and the divisor of the perspective.
        self._screen = np.array(
            [
                [self.unit * c * DISTANCE, -self.unit * s * DISTANCE, -x, x * DISTANCE],
                [-self.unit * s * DISTANCE, -self.unit * c * DISTANCE, -y, y * DISTANCE],
                [0.0, 0.0, -1.0, DISTANCE],
            ]
        )

    def project(self, space: Points) -> Points:
        """Points in space, (n, 3), as pixels, (n, 2)."""
        seen = space @ self.rotation.T
        flat = np.hstack([seen, np.ones((len(seen), 1))]) @ self._screen.T
        return np.asarray(flat[:, :2] / flat[:, 2:])

    def depth(self, space: Points) -> float:
        """How near the middle of the points is to the viewer; larger is nearer."""
        return float((space.mean(axis=0) @ self.rotation.T)[2])

    def facing(self, normal: Points) -> Points:
        """A direction of the product as the viewer sees it: x right, y up, z towards the viewer."""
        return np.asarray(self.rotation @ normal)

    def rays(self, columns: Field, rows: Field) -> tuple[Field, Field]:
        """Where each pixel's line of sight crosses the plane through the product's middle: x and y, upright picture."""
        c, s = (np.float32(value) for value in self._roll)
        x = (columns - np.float32(self._middle[0])) / np.float32(self.unit)
        y = (np.float32(self._middle[1]) - rows) / np.float32(self.unit)
        return np.asarray(x * c + y * s), np.asarray(y * c - x * s)

    def on_plane(self, columns: Field, rows: Field, frame: Frame) -> tuple[Field, Field]:
        """Which place of the plane each pixel shows: the plane's own x and y, one number per pixel."""
        axes = self.rotation @ np.stack([frame.right, frame.up, frame.origin], axis=1)
        onto = self._screen @ np.vstack([axes, [0.0, 0.0, 1.0]])
        back = np.linalg.inv(onto + np.eye(3) * 1e-9).astype(np.float32)
        depth = back[2, 0] * columns + back[2, 1] * rows + back[2, 2]
        depth = np.where(np.abs(depth) < 1e-6, np.float32(1e-6), depth)
        x = (back[0, 0] * columns + back[0, 1] * rows + back[0, 2]) / depth
        y = (back[1, 0] * columns + back[1, 1] * rows + back[1, 2]) / depth
        return x, y
