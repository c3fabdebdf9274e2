"""The one way into Pillow: checked, metered, quiet, and with every failure turned into ours."""

import io
import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from PIL import AvifImagePlugin, Image, ImageCms, ImageFile, TiffImagePlugin, WebPImagePlugin, features

from backend import errors
from backend.imaging.ending import is_cut_off
from backend.imaging.header_cost import check_cost
from backend.imaging.heif import heif_is_readable
from backend.imaging.limits import PictureLimits
from backend.imaging.signature import SIGNATURE_BYTES, foreign_name, format_of

# Asked for a format it has not loaded, Image.open imports all seventy plugins, PostScript and PDF among them. It loads
# JPEG, PNG, GIF and BMP by itself; naming the other three here keeps the rest out of the process.
_LOADED_PLUGINS: Final = (AvifImagePlugin, TiffImagePlugin, WebPImagePlugin)

# Pillow's own bomb guard (Image.MAX_IMAGE_PIXELS) stays as it is: it refuses above 178,956,970 pixels, also in places
# no header check reaches (a WebP canvas, which is allocated on opening). Between half of that and all of it Pillow only
# warns: `_settle` silences the warning, and `check_size` refuses before a pixel is decoded.

FAILURES: Final = (
    ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, MemoryError, OSError, RuntimeError,
    SyntaxError, TypeError, ValueError, Warning, struct.error, zlib.error, Image.DecompressionBombError,
    ImageCms.PyCMSError,
)  # fmt: skip
"""What Pillow raises on bad files, by family. Not simply Exception: a task's soft time limit also arrives as one, in
the middle of a decode, and must not be written down as the picture's fault."""

_BLOCK_BYTES: Final = 1 << 20
"""Handed to Pillow's decoders at once. In its 64 kB most photographs are two pieces or more: 1.55 for 1.45 ms."""

_OPTIONAL: Final = {"AVIF": "avif", "WEBP": "webp"}
"""Formats Pillow may have been built without."""

_PILLOW_WARNINGS: Final = ("ignore", None, Warning, re.compile(r"PIL\."), 0)


class MeteredBytes(io.BytesIO):
    """A file in memory that refuses (`errors.UnreadableImage`) to be read more often than an honest file needs."""

    def __init__(self, data: bytes, reads: int) -> None:
        super().__init__(data)
        self.reads_left = reads

    def read(self, size: int | None = -1, /) -> bytes:
        """As `io.BytesIO.read`, and counted."""
        self.reads_left -= 1
        if self.reads_left < 0:
            raise errors.UnreadableImage("The file is cut into too many small pieces.")
        return super().read(size)


@contextmanager
def opened(data: bytes, limits: PictureLimits) -> Iterator[ImageFile.ImageFile]:
    """The picture with its header read and within the limits, no pixel decoded yet.

    Inside the `with` too, whatever Pillow raises comes out as `errors.UnreadableImage` (or a subclass of it).
    """
    picture_format = admitted_format(data, limits)
    _settle()
    try:
        _check_structure(picture_format, data, limits)
        file = MeteredBytes(data, limits.max_header_reads)
        with Image.open(file, formats=[picture_format]) as picture:
            check_size(picture.size, limits)
            picture.decodermaxblock = _BLOCK_BYTES
            file.reads_left = limits.max_body_reads
            yield picture
    except FAILURES as err:
        raise _refusal_of(err) from err


def admitted_format(data: bytes, limits: PictureLimits) -> str:
    """The format, by the first bytes.

    Raises `EmptyImage`, `ImageTooLarge`, `UnsupportedImageType`, or `UnreadableImage` where there are too few to tell.
    """
    if not data:
        raise errors.EmptyImage
    if len(data) > limits.max_bytes:
        raise errors.ImageTooLarge(f"The file has {len(data):,} bytes (limit {limits.max_bytes:,}).")
    picture_format = format_of(data)
    if picture_format is None and len(data) < SIGNATURE_BYTES:
        raise errors.UnreadableImage(f"A file of {len(data)} bytes holds no picture.")
    if picture_format is None:
        name = foreign_name(data)
        seen = f"The file looks like {name}. " if name else ""
        raise errors.UnsupportedImageType(seen + errors.UnsupportedImageType.mend)
    if picture_format == "HEIF" and not heif_is_readable():
        raise errors.UnsupportedImageType(
            "The file is HEIC, which this server reads only with the extra `shelfsight[heif]` installed. "
            + errors.UnsupportedImageType.mend
        )
    if picture_format in _OPTIONAL and not features.check(_OPTIONAL[picture_format]):
        raise errors.UnsupportedImageType(f"This server's Pillow was built without {picture_format}.")
    return picture_format


def _check_structure(picture_format: str, data: bytes, limits: PictureLimits) -> None:
    check_cost(picture_format, data, limits)
    if is_cut_off(picture_format, data):
        raise errors.TruncatedImage


def check_size(size: tuple[int, int], limits: PictureLimits) -> None:
    """Raises `TooManyPixels`, `AspectTooExtreme` or `ImageTooSmall`."""
    (width, height), shape = size, f"The picture is {size[0]:,} x {size[1]:,} pixels"
    short, long = sorted(size)
    if width * height > limits.max_pixels:
        raise errors.TooManyPixels(f"{shape} (limit {limits.max_pixels:,} in all).")
    if long > short * limits.max_aspect:
        raise errors.AspectTooExtreme(f"{shape}; the long side may be {limits.max_aspect:g} times the short one.")
    if short < limits.min_side:
        raise errors.ImageTooSmall(f"{shape} (at least {limits.min_side} on each side).")


def _settle() -> None:
    """Put two switches of the process where they have to be. At every call, because other code may move them.

    Pillow's warnings (of damaged EXIF, say) stay out of logs, and do not become errors under `-W error`. Not by
    `warnings.catch_warnings`: it swaps the process's list of filters and back, so that two threads leave each other's
    filters behind. One filter, put first and never taken away, is safe from any thread.

    Cut files fail. Some libraries tell Pillow to fill them up, so that their training data loads; here half a grey
    picture would be embedded without a word.
    """
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    if tuple(warnings.filters[:1]) != (_PILLOW_WARNINGS,):
        warnings.filterwarnings("ignore", module=r"PIL\.")


def _refusal_of(err: BaseException) -> errors.UnreadableImage:
    if isinstance(err, Image.DecompressionBombError):
        return errors.TooManyPixels()
    if isinstance(err, MemoryError) or "out of memory" in str(err).lower():
        return errors.DecoderFailed()
    if isinstance(err, EOFError | struct.error) or "truncated" in str(err).lower():
        return errors.TruncatedImage()
    return errors.UnreadableImage()
