"""How much of the machine's memory the process with the encoder holds."""

import os
import sys
from pathlib import Path
from typing import Final

_STATM: Final = Path("/proc/self/statm")
"""Sizes in pages: all that is mapped, then what is resident, ... Source: proc_pid_statm(5)."""


def resident_bytes() -> int | None:
    """The resident set of this process now; on systems without /proc its largest so far; None where neither is known.

    Weights that are mapped from a file count once they were read, although the system may take those pages back.
    """
    try:
        return int(_STATM.read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return _largest_so_far()


def _largest_so_far() -> int | None:
    try:
        import resource  # noqa: PLC0415 - Windows has none
    except ImportError:
        return None
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024  # getrusage(2): bytes on macOS, else kilobytes
