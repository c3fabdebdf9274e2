"""Any of Pillow's modes -> plain sRGB. Each function here stands for a way to get a wrong picture without an error."""

import io
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from backend.imaging.opening import FAILURES

_SIXTEEN_BITS: Final = 16
_BITS_PER_SAMPLE, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0  # TIFF 6.0, section 8
_WHITE_POINTS: Final = (255.0, 65_535.0)

_SPACE_OF_MODE: Final = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}
"""Which colour space a profile must be for to belong to pixels of this mode (ICC.1:2022, 7.2.6)."""


def to_eight_bits(picture: Image.Image) -> Image.Image:
    """The picture in L, LA, RGB, RGBA or CMYK, 8 bits a channel; transparency of any kind becomes a channel."""
    if picture.mode in {"LA", "RGBA", "CMYK"}:
        return picture
    if picture.mode.startswith("I;16"):
        return _deep_grey(picture)
    if picture.mode in {"I", "F"}:
        return _measured(picture)
    if picture.mode == "RGB":
        _shorten_transparent_colour(picture)
    if picture.has_transparency_data:
        return picture.convert("LA" if picture.mode in {"1", "L", "La"} else "RGBA")
    if picture.mode == "1":
        return picture.convert("L")
    return picture if picture.mode in {"L", "RGB"} else picture.convert("RGB")


def to_srgb(picture: Image.Image, max_profile_bytes: int) -> Image.Image:
    """L, LA, RGB, RGBA or CMYK -> RGB in sRGB over white.

    White because it is what shops show products on. Dropping the alpha channel would show the colour hidden under
    transparent pixels, often black or magenta.
    """
    alpha = picture.getchannel("A") if picture.mode in {"LA", "RGBA"} else None
    opaque = picture.convert(picture.mode.removesuffix("A")) if alpha else picture
    rgb = _profiled(opaque, picture.info.get("icc_profile"), max_profile_bytes) or _as_rgb(opaque)
    if alpha is None:
        return rgb
    white = Image.new("RGB", rgb.size, "white")
    white.paste(rgb, mask=alpha)
    return white


def is_srgb(picture: Image.Image, max_profile_bytes: int) -> bool:
    """Whether RGB is known to be sRGB as it stands. A broken profile is left to `to_srgb`, which ignores it."""
    profile = picture.info.get("icc_profile")
    if not profile:
        return True
    try:
        return len(profile) <= max_profile_bytes and _says_srgb(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    except FAILURES:
        return False


def _says_srgb(profile: ImageCms.ImageCmsProfile) -> bool:
    return ImageCms.getProfileDescription(profile).startswith("sRGB")


def _profiled(picture: Image.Image, profile: object, max_profile_bytes: int) -> Image.Image | None:
    """The picture through its ICC profile to sRGB; None where there is no (usable) profile: browsers ignore it too."""
    if not isinstance(profile, bytes) or not 0 < len(profile) <= max_profile_bytes:
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = source.profile.xcolor_space.strip()
        # Grey JPEGs often carry the RGB profile of their workflow.
        pixels = picture.convert("RGB") if (picture.mode, space) == ("L", "RGB") else picture
        if space != _SPACE_OF_MODE[pixels.mode]:
            return None
        # Most profiles say sRGB; building a transform (about 2 ms) to change nothing is left out.
        if _says_srgb(source):
            return _as_rgb(pixels)
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), pixels.mode, "RGB")
        return transform.apply(pixels)
    except FAILURES:
        return None


def _as_rgb(picture: Image.Image) -> Image.Image:
    """Pillow would copy a picture that is RGB already."""
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _deep_grey(picture: Image.Image) -> Image.Image:
    """16-bit grey by its high byte. Pillow's own conversion clips instead: 99.6 % of such a picture turns white."""
    values = np.asarray(picture)
    tags = getattr(picture, "tag_v2", {})
    bits = int(tags.get(_BITS_PER_SAMPLE, (_SIXTEEN_BITS,))[0])  # TIFF may store 12 bits
    grey = Image.fromarray(_uninverted((values >> (bits - 8)).astype(np.uint8), picture))
    transparent = picture.info.get("transparency")
    if isinstance(transparent, int):
        grey.putalpha(Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8)))
    return _with_profile_of(picture, grey)


def _measured(picture: Image.Image) -> Image.Image:
    """32-bit integers and floats. They state no white point: take the least usual one (1, 255, 65,535) none exceeds.

    With values below 0 or above them all, the picture's own range is spread from black to white.
    """
    values = np.nan_to_num(np.asarray(picture, dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    whites = (1.0, *_WHITE_POINTS) if picture.mode == "F" else _WHITE_POINTS
    white = next((point for point in whites if low >= 0 and high <= point), None)
    if white is None:
        values, white = values - low, (high - low) or 1.0
    grey = Image.fromarray(_uninverted((values * (255.0 / white) + 0.5).astype(np.uint8), picture))
    return _with_profile_of(picture, grey)


def _uninverted(grey: NDArray[np.uint8], picture: Image.Image) -> NDArray[np.uint8]:
    """TIFF may count from white. Pillow turns that round itself up to 8 bits, not above."""
    tags = getattr(picture, "tag_v2", {})
    return 255 - grey if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO else grey


def _with_profile_of(original: Image.Image, grey: Image.Image) -> Image.Image:
    grey.info["icc_profile"] = original.info.get("icc_profile")
    return grey


def _shorten_transparent_colour(picture: Image.Image) -> None:
    """A PNG of 16 bits names its transparent colour in 16 bits, while Pillow keeps the high byte of the pixels."""
    colour = picture.info.get("transparency")
    if isinstance(colour, tuple) and max(colour) > 255:  # noqa: PLR2004 -- the largest 8-bit value
        picture.info["transparency"] = tuple(value >> 8 for value in colour)
