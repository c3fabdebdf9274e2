"""The studio: a light sweep of paper, parts laid on one another from back to front, the shadows they cast."""

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from backend.demo.camera import FRONT, Camera, Frame
from backend.demo.curves import Points, ellipse, rounded, tube
from backend.demo.light import Finish, Light, Normals, flat, lit, raised, to_screen
from backend.demo.materials import Paint, noise, noise_tile
from backend.demo.raster import Colours, Field, Patch, fill, smoothstep, soft

Relief = Callable[[Field, Field], Field]
"""Heights over a surface, in product units, from its own coordinates: folds, dents, seams."""


class Studio:
    """One picture being made. Parts are drawn far to near; `finish` puts them on the background."""

    def __init__(self, camera: Camera, light: Light, *, backdrop: float, seed: int) -> None:
        self.camera = camera
        self.light = light
        self.side = camera.side
        self.backdrop = backdrop
        self.random = np.random.Generator(np.random.PCG64(seed))
        self._rgb: Colours = np.zeros((3, self.side, self.side), np.float32)  # premultiplied by _cover
        self._cover: Field = np.zeros((self.side, self.side), np.float32)
        half = -(-self.side // 2)
        self._shade: Field = np.zeros(
            (half, half), np.float32
        )  # shadows on the background, at half size: they are soft
        self._offset = self.random.uniform(0, 1, 2)

    # --- parts --------------------------------------------------------------------------------------------------------

    def part(
        self,
        outline: Points | Sequence[Points],
        paint: Paint,
        *,
        frame: Frame = FRONT,
        rounding: float = 0.03,
        puff: float = 1.0,
        lift: float = 0.0,
        relief: Relief | None = None,
        holes: Sequence[Points] = (),
        clip: Patch | None = None,
        opacity: float = 1.0,
    ) -> Patch:
        """A flat or padded piece. Lengths (`rounding` of its edges, `lift` above what lies below) are product units.

        `outline` is (n, 2) on `frame`, or (n, 3) in space. Returns what it covers, to clip later parts to.
        """
        outlines = [outline] if isinstance(outline, np.ndarray) else list(outline)
        patch = self.patch(outlines, frame, holes)
        patch = patch if clip is None else patch.within(clip)
        u, v = self.camera.on_plane(*patch.grid(), frame)
        unit = self.camera.unit
        heights = None if relief is None else self._heights(relief, u, v)
        facing = self.camera.facing(frame.normal)
        if facing[2] < 0:
            facing = -facing
        padded = rounding * unit > 0.3 or heights is not None
        normals = raised(patch.cover, facing, rounding * unit, puff, heights) if padded else flat(facing)
        if lift:
            self.cast(patch, lift)
        self.lay(patch, paint.albedo(u, v, 1 / unit), normals, paint.finish, opacity)
        return patch

    def _heights(self, relief: Relief, u: Field, v: Field) -> Field:
        """A relief in pixels. Folds are broad, so a third of the places is enough; the rest is filled in smoothly."""
        coarse = relief(u[::3, ::3], v[::3, ::3]) * np.float32(self.camera.unit)
        return np.asarray(Image.fromarray(coarse).resize(u.shape[::-1], Image.Resampling.BICUBIC))

    def line(
        self, middle: Points, width: float | Points, paint: Paint, *, frame: Frame = FRONT, lift: float = 0.0,
        clip: Patch | None = None, rounding: float | None = None, opacity: float = 1.0,
    ) -> Patch:  # fmt: skip
        """A round cord, strap or seam along a line of the frame's plane."""
        half = float(np.max(width)) / 2
        return self.part(
            tube(middle, width), paint, frame=frame, rounding=half if rounding is None else rounding, lift=lift,
            clip=clip, opacity=opacity,
        )  # fmt: skip

    def seam(
        self, middle: Points, paint: Paint, *, frame: Frame = FRONT, clip: Patch | None = None, width: float = 0.008
    ) -> None:
        """A line of stitches: a narrow groove, darker than its cloth."""
        groove = paint.plain().tinted(0.45)
        self.part(tube(middle, width), groove, frame=frame, rounding=0, clip=clip, opacity=0.55)

    def patch(self, outlines: Sequence[Points], frame: Frame = FRONT, holes: Sequence[Points] = ()) -> Patch:
        """What the outlines cover in the picture."""
        seen = [self.camera.project(frame.to_space(outline)) for outline in outlines]
        return fill(seen, self.side, [self.camera.project(frame.to_space(hole)) for hole in holes])

    def lay(self, patch: Patch, albedo: Colours, normals: Normals, finish: Finish, opacity: float = 1.0) -> None:
        """Light a surface and put it over what is there."""
        if finish.grain:
            columns, rows = patch.grid()
            scale = np.float32(1 / (self.side * 0.27))
            u, v = columns * scale + np.float32(self._offset[0]), rows * scale + np.float32(self._offset[1])
            speck = noise(u, v, 128) + 0.35 * noise(u * 0.23, v * 0.31, 32)
            albedo = albedo * (1 + np.float32(finish.grain) * speck)
        self.blend(patch, lit(albedo, normals, finish, self.light), opacity)

    def lay_flat(self, patch: Patch, paint: Paint) -> None:
        """Fill a patch with one colour that faces the viewer."""
        zero = np.zeros((1, 1), np.float32)
        self.lay(patch, paint.plain().albedo(zero, zero, 1.0), flat(FRONT.normal), paint.finish)

    def blend(self, patch: Patch, colours: Colours, opacity: float = 1.0) -> None:
        """Put finished colours (linear) over what is there."""
        cover = patch.cover * np.float32(opacity)
        rows, columns = patch.window
        under, covered = self._rgb[:, rows, columns], self._cover[rows, columns]
        under += (colours - under) * cover
        covered += (1 - covered) * cover

    # --- shadows ------------------------------------------------------------------------------------------------------

    def cast(self, patch: Patch, lift: float, strength: float = 0.5) -> None:
        """Darken what is already drawn below a part that stands `lift` product units above it."""
        reach = max(lift * self.camera.unit, 0.8)
        pad = int(3 * reach) + 2
        top, left = max(patch.top - pad, 0), max(patch.left - pad, 0)
        bottom = min(patch.top + patch.cover.shape[0] + pad, self.side)
        right = min(patch.left + patch.cover.shape[1] + pad, self.side)
        shade = np.zeros((bottom - top, right - left), np.float32)
        drop, aside = int(reach * 0.8), int(-reach * self.light.aside)
        y, x = patch.top - top + drop, patch.left - left + aside
        ya, xa = max(y, 0), max(x, 0)
        yb, xb = min(y + patch.cover.shape[0], shade.shape[0]), min(x + patch.cover.shape[1], shade.shape[1])
        shade[ya:yb, xa:xb] = patch.cover[ya - y : yb - y, xa - x : xb - x]
        dark = 1 - np.float32(strength) * soft(shade, reach)
        self._rgb[:, top:bottom, left:right] *= dark

    def stand(
        self, x: float, z: float, rx: float, rz: float, y: float, *, strength: float = 1.0, box: bool = False
    ) -> None:
        """The shadow of a foot (an ellipse on the table at height y): dark where it touches, wide and faint around.

        `box`: the shadow of a box on legs, which touches nowhere.
        """
        ring = rounded(x - rx, z - rz, x + rx, z + rz, min(rx, rz) * 0.4, 12) if box else ellipse(x, z, rx, rz, 48)
        unit = self.camera.unit
        layers = ((1.0, 0.0, 0.014, 0.75), (1.06, 0.12, 0.05, 0.55), (1.15, 0.4, 0.13, 0.45))
        for grow, aside, blur, dark in layers[1:] if box else layers:
            away = -self.light.aside * aside * 2 * min(rx, 0.45)
            wide = np.stack(
                [x + away + (ring[:, 0] - x) * grow, np.full(len(ring), y), z + (ring[:, 1] - z) * grow], axis=1
            )
            patch = fill([self.camera.project(wide) / 2], len(self._shade))
            layer = np.zeros_like(self._shade)
            layer[patch.window] = patch.cover
            self._shade += (1 - self._shade) * soft(layer, blur * unit / 2) * np.float32(dark * strength)

    def drop_shadow(self, distance: float, strength: float = 0.4) -> None:
        """The shadow of everything drawn on paper or a wall `distance` behind it."""
        reach = distance * self.camera.unit / 2
        half = len(self._shade)
        small = np.asarray(Image.fromarray(self._cover).resize((half, half), Image.Resampling.BOX))
        moved = _shifted(small, int(reach), int(-reach * 1.3 * self.light.aside))
        for blur, dark in ((0.35, 0.55), (1.3, 0.6)):
            self._shade += (1 - self._shade) * soft(moved, max(reach * blur, 0.5)) * np.float32(dark * strength)

    # --- the picture --------------------------------------------------------------------------------------------------

    @property
    def cover(self) -> Field:
        """How much of each pixel is product, 0 to 1."""
        return self._cover

    def finish(self) -> Image.Image:
        """The product on its background, with a trace of sensor noise, as RGB."""
        paper = self._backdrop() * (1 - self._shade) ** 2
        wide = np.asarray(Image.fromarray(paper).resize((self.side, self.side), Image.Resampling.BILINEAR))
        wide = wide * (1 - self._cover)
        rows, columns = (np.arange(self.side) + int(start) for start in self.random.integers(0, 512, 2))
        speck = noise_tile(512, 512)[rows % 512][:, columns % 512] * np.float32(2.2) + np.float32(0.5)
        picture = np.empty((self.side, self.side, 3), np.uint8)
        # Plane by plane: what one plane needs fits the processor's cache, all three do not.
        for n, tint in enumerate((1 + 0.03 * self.light.warmth, 1.0, 1 - 0.04 * self.light.warmth)):
            picture[:, :, n] = np.clip(to_screen(self._rgb[n] + wide * np.float32(tint)) + speck, 0, 255)
        return Image.fromarray(picture)

    def _backdrop(self) -> Field:
        """A sweep of paper, linear, at half size: palest behind the product, darker to the corners and in the fold."""
        half = len(self._shade)
        t: Field = (np.arange(half, dtype=np.float32) + np.float32(0.5)) / np.float32(half)
        x, y = t[None, :] - 0.5 + 0.25 * np.float32(self.light.aside), t[:, None] - 0.42
        far: Field = x * x + y * y
        glow = 1 - smoothstep(0.02, 0.9, far)
        fold = np.exp(-(((t[:, None] - 0.68) / 0.13) ** 2))
        return np.asarray((np.float32(self.backdrop) * (0.9 + 0.12 * glow - 0.03 * fold)) ** 2)


def _shifted(field: Field, down: int, right: int) -> Field:
    """The field moved; what comes in from outside is zero."""
    height, width = field.shape
    out = np.zeros_like(field)
    rows, columns = height - abs(down), width - abs(right)
    if rows > 0 and columns > 0:
        y, x = max(-down, 0), max(-right, 0)
        out[y + down : y + down + rows, x + right : x + right + columns] = field[y : y + rows, x : x + columns]
    return out
