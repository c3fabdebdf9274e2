"""The studio: a light sweep of paper, parts laid on one another from back to front, the shadows they cast."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageChops

from backend.demo.camera import FRONT, Camera, Frame
from backend.demo.curves import Points, ellipse, tube
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
        self._rgb: Colours = np.zeros((self.side, self.side, 3), np.float32)  # premultiplied by _cover
        self._cover: Field = np.zeros((self.side, self.side), np.float32)
        half = -(-self.side // 2)
        self._shade: Field = np.zeros((half, half), np.float32)  # shadows on the background, at half size: they are soft
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

    def seam(self, middle: Points, paint: Paint, *, frame: Frame = FRONT, clip: Patch | None = None, width: float = 0.008) -> None:
        """A line of stitches: a narrow groove, darker than its cloth."""
        groove = paint.plain().tinted(0.45)
        self.part(tube(middle, width), groove, frame=frame, rounding=0, clip=clip, opacity=0.55)

    def cord(self, line: Points, width: ArrayLike, paint: Paint, *, lift: float = 0.0, round_start: bool = False) -> Patch:
        """A round cord through space, (n, 3): a handle, a spout, a cable. `width` is one number or one per point."""
        seen = self.camera.project(line)
        wide = np.broadcast_to(np.asarray(width, dtype=np.float64), len(seen)) * self.camera.unit
        outlines = [tube(seen, wide)]
        if round_start:
            outlines.append(ellipse(seen[0][0], seen[0][1], wide[0] / 2, wide[0] / 2, 32))
        patch = fill(outlines, self.side)
        if lift:
            self.cast(patch, lift)
        normals = raised(patch.cover, FRONT.normal, float(wide.max()) / 2, 1.0, None)
        columns, rows = patch.grid()
        unit = np.float32(self.camera.unit)
        self.lay(patch, paint.albedo((columns - patch.left) / unit, (rows - patch.top) / unit, 1 / unit), normals, paint.finish)
        return patch

    def rod(self, start: Sequence[float], end: Sequence[float], width: tuple[float, float], paint: Paint) -> Patch:
        """A round, tapering rod between two places in space: a leg, a pole."""
        ends = self.camera.project(np.array([start, end], dtype=np.float64))
        along = (ends[1] - ends[0]) / max(float(np.linalg.norm(ends[1] - ends[0])), 1e-6)
        across = np.array([-along[1], along[0]])
        unit = self.camera.unit
        a, b = across * width[0] / 2 * unit, across * width[1] / 2 * unit
        tip = ellipse(ends[1][0], ends[1][1], width[1] / 2 * unit, width[1] / 2 * unit * 0.6, 24)
        patch = fill([np.array([ends[0] + a, ends[1] + b, ends[1] - b, ends[0] - a]), tip], self.side)
        columns, rows = patch.grid()
        side = ((columns - ends[0][0]) * across[0] + (rows - ends[0][1]) * across[1]) / np.float32(unit)
        far = ((columns - ends[0][0]) * along[0] + (rows - ends[0][1]) * along[1]) / np.float32(unit)
        length = max(float(np.linalg.norm(ends[1] - ends[0])) / unit, 1e-6)
        half = np.maximum(width[0] + (width[1] - width[0]) * np.clip(far / length, 0, 1), 0.004) / 2
        bend = np.clip(side / half, -1, 1)
        z = np.sqrt(np.maximum(1 - bend * bend, 0.0))
        normals = Normals(bend * np.float32(across[0]), -bend * np.float32(across[1]), z)
        self.lay(patch, paint.albedo(side * 0.5, far, 1 / unit), normals, paint.finish)
        return patch

    def patch(self, outlines: Sequence[Points], frame: Frame = FRONT, holes: Sequence[Points] = ()) -> Patch:
        """What the outlines cover in the picture."""
        seen = [self.camera.project(frame.to_space(outline)) for outline in outlines]
        return fill(seen, self.side, [self.camera.project(frame.to_space(hole)) for hole in holes])

    def lay(
        self, patch: Patch, albedo: Colours, normals: Normals, finish: Finish, opacity: float = 1.0
    ) -> None:
        """Light a surface and put it over what is there."""
        if finish.grain:
            columns, rows = patch.grid()
            scale = np.float32(1 / (self.side * 0.27))
            u, v = columns * scale + np.float32(self._offset[0]), rows * scale + np.float32(self._offset[1])
            speck = noise(u, v, 128) + 0.35 * noise(u * 0.23, v * 0.31, 32)
            albedo = albedo * (1 + np.float32(finish.grain) * speck)[..., None]
        self.blend(patch, lit(albedo, normals, finish, self.light), opacity)

    def lay_flat(self, patch: Patch, paint: Paint) -> None:
        """Fill a patch with one colour that faces the viewer."""
        zero = np.zeros((1, 1), np.float32)
        self.lay(patch, paint.plain().albedo(zero, zero, 1.0), flat(FRONT.normal), paint.finish)

    def blend(self, patch: Patch, colours: Colours, opacity: float = 1.0) -> None:
        """Put finished colours (linear) over what is there."""
        cover = patch.cover * np.float32(opacity)
        self._rgb[patch.window] *= (1 - cover)[..., None]
        self._rgb[patch.window] += colours * cover[..., None]
        self._cover[patch.window] += cover * (1 - self._cover[patch.window])

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
        self._rgb[top:bottom, left:right] *= dark[..., None]

    def stand(
        self, x: float, z: float, rx: float, rz: float, y: float, *, strength: float = 1.0, touching: bool = True
    ) -> None:
        """The shadow of a foot (an ellipse on the table at height y): dark where it touches, wide and faint around."""
        ring = ellipse(x, z, rx, rz, 48)
        unit = self.camera.unit
        layers = ((1.0, 0.0, 0.014, 0.75), (1.06, 0.12, 0.05, 0.55), (1.15, 0.4, 0.13, 0.45))
        for grow, aside, blur, dark in layers if touching else layers[1:]:
            away = -self.light.aside * aside * 2 * min(rx, 0.45)
            wide = np.stack([x + away + (ring[:, 0] - x) * grow, np.full(48, y), z + (ring[:, 1] - z) * grow], axis=1)
            patch = fill([self.camera.project(wide) / 2], len(self._shade))
            layer = np.zeros_like(self._shade)
            layer[patch.window] = patch.cover
            self._shade += (1 - self._shade) * soft(layer, blur * unit / 2) * np.float32(dark * strength)

    def drop_shadow(self, distance: float, strength: float = 0.4) -> None:
        """The shadow of everything drawn on paper or a wall `distance` behind it."""
        reach = distance * self.camera.unit / 2
        half = len(self._shade)
        small = np.asarray(Image.fromarray(self._cover).resize((half, half), Image.Resampling.BOX))
        moved = np.roll(small, (int(reach), int(-reach * 1.3 * self.light.aside)), (0, 1))
        for blur, dark in ((0.35, 0.55), (1.3, 0.6)):
            self._shade += (1 - self._shade) * soft(moved, max(reach * blur, 0.5)) * np.float32(dark * strength)

    # --- the picture --------------------------------------------------------------------------------------------------

    @property
    def cover(self) -> Field:
        """How much of each pixel is product, 0 to 1."""
        return self._cover

    def finish(self) -> Image.Image:
        """The product on its background, with a trace of sensor noise, as RGB."""
        shade = Image.fromarray(self._shade).resize((self.side, self.side), Image.Resampling.BILINEAR)
        light = (1 - np.asarray(shade)) * (1 - self._cover)
        picture = Image.fromarray(to_screen(self._rgb + self._backdrop() * light[..., None]))
        left, top = (int(n) for n in self.random.integers(0, 512, 2))
        return ImageChops.add(picture, _noise_picture(self.side, left, top), 1, -128)

    def _backdrop(self) -> Colours:
        """A sweep of paper: palest behind the product, a little darker to the corners and in the fold."""
        t = (np.arange(self.side, dtype=np.float32) + 0.5) / self.side
        x, y = t[None, :] - 0.5 + 0.25 * np.float32(self.light.aside), t[:, None] - 0.42
        glow = 1 - smoothstep(0.02, 0.9, x * x + y * y)
        fold = np.exp(-(((t[:, None] - 0.68) / 0.13) ** 2))
        level = np.float32(self.backdrop) * (0.9 + 0.12 * glow - 0.03 * fold)
        tint = np.array([1 + 0.02 * self.light.warmth, 1.0, 1 - 0.025 * self.light.warmth], np.float32)
        return np.asarray((level * level)[..., None] * tint)


def _noise_picture(side: int, left: int, top: int) -> Image.Image:
    """Sensor noise of about one and a half steps of 255 round a middle of 128."""
    tile = Image.fromarray((128.5 + 2.2 * noise_tile(512, 512)).astype(np.uint8))
    picture = Image.new("L", (side, side))
    for x in range(-left, side, 512):
        for y in range(-top, side, 512):
            picture.paste(tile, (x, y))
    return Image.merge("RGB", (picture, picture, picture))
