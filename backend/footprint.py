"""How much of the machine's memory this process takes."""

import os
import sys
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc/self")


def memory_bytes() -> int | None:
    """This process' own memory and its share of what it has in common with others, such as mapped weights (PSS).

    So the numbers of several processes add up to what they take together. Where the system does not tell shares, all
    that is resident; without /proc the largest it ever was; None where nothing is known.
    """
    return _proportional() or _resident() or _largest_so_far()


def _proportional() -> int | None:
    """Source: proc_pid_smaps(5); a few milliseconds."""
    try:
        lines = (_PROC / "smaps_rollup").read_text("ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    except (OSError, ValueError, IndexError, StopIteration):
        return None


def _resident() -> int | None:
    """Sizes in pages: all that is mapped, then what is resident, ... Source: proc_pid_statm(5)."""
    try:
        return int((_PROC / "statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def _largest_so_far() -> int | None:
    try:
        import resource  # noqa: PLC0415 - Windows has none
    except ImportError:
        return None
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024  # getrusage(2): bytes on macOS, else kilobytes
