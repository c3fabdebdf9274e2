"""What a reader and its decoder say to each other: fixed headers and raw bytes.

The decoder reads hostile files, so its answers may be hostile too. They are data and nothing else: no pickle, lengths
checked before they are believed, refusals by number from the table below.
"""

import struct
from typing import Final

from backend import errors

DECODE, THUMBNAIL = 1, 2
"""Tasks. The number that comes with them is `min_side` or `width`."""

REQUEST: Final = struct.Struct("<BIQ")
"""Task, its number, bytes of the file that follow."""

ANSWER: Final = struct.Struct("<BIIQ")
"""Status, height and width (0 for a thumbnail), bytes that follow: pixels, a JPEG, or a refusal's detail in UTF-8."""

DONE: Final = 0
"""The status of success. Any other is a place in `REFUSALS`, counted from 1. A decoder says DONE once when it is up."""

REFUSALS: Final[tuple[type[errors.UnreadableImage], ...]] = (
    errors.UnreadableImage,
    errors.EmptyImage,
    errors.UnsupportedImageType,
    errors.TruncatedImage,
    errors.ImageTooLarge,
    errors.TooManyPixels,
    errors.ImageTooSmall,
    errors.AspectTooExtreme,
    errors.DecoderFailed,
)

MAX_DETAIL_BYTES: Final = 1000
"""Our own details are two sentences; more is not ours."""


def refusal_of(status: int, detail: bytes) -> errors.UnreadableImage:
    """The refusal a decoder answered with; its detail in plain characters only. Raises IndexError for no refusal."""
    if status == DONE:
        raise IndexError(status)
    text = "".join(letter for letter in detail.decode("utf-8", "replace") if letter.isprintable())
    return REFUSALS[status - 1](text)


def refusal_answer(refusal: errors.UnreadableImage) -> bytes:
    """The answer that stands for a refusal."""
    detail = refusal.detail.encode("utf-8", "replace")[:MAX_DETAIL_BYTES]
    return ANSWER.pack(1 + REFUSALS.index(type(refusal)), 0, 0, len(detail)) + detail
