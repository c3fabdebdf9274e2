"""Decode a picture to upright sRGB pixels, no larger than the next step can use."""

from typing import Final

import numpy as np
from PIL import ExifTags, Image, ImageFile

from backend.domain.picture import Pixels
from backend.imaging.colour import is_srgb, to_eight_bits, to_srgb
from backend.imaging.jpeg import unpacked
from backend.imaging.limits import PictureLimits
from backend.imaging.opening import FAILURES, check_size, opened

_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""How to undo each value of the EXIF tag Orientation (Exif 3.0, 4.6.5.1.6)."""

_SPARE: Final = 2
_BAND_ROWS: Final = 64


def decode(data: bytes, min_side: int, limits: PictureLimits) -> Pixels:
    """(height, width, 3) uint8: upright, sRGB, transparency over white, the first frame of an animation.

    The result may be smaller than the original by a whole factor, its short side never below `min_side` (unless the
    original is). Damaged EXIF, XMP and colour profiles are ignored (but libavif refuses an AVIF with damaged EXIF).

    Raises `errors.UnreadableImage` or a subclass, as `inspect` does, and for damage that shows only in the pixels. A
    file that ends early is refused, not completed with grey. What somebody closed properly after half of its rows (a
    JPEG with an end marker there, a PNG whose compressed data end there) does not end early, and libjpeg and Pillow do
    complete it: to notice would take unpacking it twice.
    """
    with opened(data, limits) as stored:
        # A JPEG is decoded at 1/2, 1/4 or 1/8 right in the inverse DCT: that saves most of the time and the memory.
        # Other formats know no such thing and ignore it.
        shrunk = stored.draft(None, (min_side, min_side))
        if _is_shown_as_stored(stored, min_side, limits) and (pixels := unpacked(data, stored.size)) is not None:
            return pixels
        stored.load()
        if shrunk is None:  # a HEIC's header may promise another size than its pixels have
            check_size(stored.size, limits)
        turn = _TURNS.get(_orientation(stored))
        picture = to_srgb(_reduced(to_eight_bits(stored), min_side), limits.max_profile_bytes)
        if turn is not None:
            picture = picture.transpose(turn)
        return np.array(picture)


def _is_shown_as_stored(picture: ImageFile.ImageFile, min_side: int, limits: PictureLimits) -> bool:
    """Whether it is a JPEG whose pixels, once unpacked, need no step of those below."""
    return (
        (picture.format, picture.mode) == ("JPEG", "RGB")
        and _factor(picture, min_side) <= 1
        and _orientation(picture) not in _TURNS
        and is_srgb(picture, limits.max_profile_bytes)
    )


def _reduced(picture: Image.Image, min_side: int) -> Image.Image:
    """Averaged over whole squares of pixels, the short side kept at twice `min_side` at least.

    This is for memory: 32 pictures of 50 megapixels are 4.8 GB; after this at most 0.3 GB at `min_side` 390. The pixels
    are decoded already, so going down to `min_side` would save no time, and it would show: features of EfficientNet at
    260 pixels had a cosine of .996 to those of the full picture at 1.5 times the input, .9996 at three times. A mean
    gives every pixel its share, so nothing aliases. It comes before colour management, to make that cheap, and Pillow
    weights it by alpha, so hidden colours do not bleed in.
    """
    factor = _factor(picture, min_side)
    if factor <= 1:
        return picture
    if picture.mode not in {"LA", "RGBA"}:
        return picture.reduce(factor)
    # To weigh by alpha, Pillow copies the whole picture twice: 360 MB more at 48 megapixels, 10 MB band by band.
    small = Image.new(picture.mode, (-(-picture.width // factor), -(-picture.height // factor)))
    small.info = picture.info
    for row in range(0, small.height, _BAND_ROWS):
        top, bottom = row * factor, min((row + _BAND_ROWS) * factor, picture.height)
        small.paste(picture.crop((0, top, picture.width, bottom)).reduce(factor), (0, row))
    return small


def _factor(picture: Image.Image, min_side: int) -> int:
    return min(picture.size) // (_SPARE * min_side)


def _orientation(picture: Image.Image) -> int:
    """The EXIF orientation, 1 where there is none or EXIF is damaged. (Of a TIFF Pillow has undone it on loading.)"""
    try:
        return int(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except FAILURES:
        return 1
