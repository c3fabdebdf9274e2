"""A small JPEG of a picture, to show it again without ever serving the bytes that were uploaded."""

import io
from typing import Final

from PIL import Image

from backend.imaging.decode import decode
from backend.imaging.limits import PictureLimits

_QUALITY: Final = 85
"""Above it files grow faster than anyone sees a difference; below, edges of text on packages begin to smear."""


def thumbnail(data: bytes, width: int, limits: PictureLimits) -> bytes:
    """A progressive JPEG at most `width` pixels wide, upright sRGB, without metadata; never enlarged.

    Made anew from the pixels, so what hides in the original (EXIF positions, a script or a ZIP behind the picture) is
    not passed on. Raises what `decode` raises.
    """
    picture = Image.fromarray(decode(data, min_side=width, limits=limits))
    if picture.width > width:
        height = max(1, round(picture.height * width / picture.width))
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=_QUALITY, progressive=True)
    return file.getvalue()
