"""How many pictures a forward pass takes best: measured once per machine and model, and kept."""

import json
import logging
import os
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import torch

log = logging.getLogger(__name__)

SIZES: Final = {"cpu": (8, 16, 32), "mps": (8, 16, 32, 64), "cuda": (16, 32, 64, 128)}
"""Candidates by device. Searches share passes of up to as many, so small ones are tried first."""

_TIMES: Final = 3
"""The best of so many counts: other work on the machine makes a pass slower, never faster."""

_ENOUGH: Final = 0.95
"""Of the best rate. A processor gains little beyond some pictures, and half of them take half as long and half the
memory."""

_BUDGET_SECONDS: Final = 3.0
"""What a first start may take for it; a slow machine measures fewer sizes."""


def tuned_batch(key: str, seconds_of: Callable[[int], float], sizes: Sequence[int], file: Path | None) -> int:
    """The smallest size that is nearly as fast as the fastest. From `file` when it is there for this `key`.

    `seconds_of` runs a pass of so many pictures. The file only saves time: one that cannot be read or written is passed
    over. A measurement is not repeated; remove the file to have it repeated.
    """
    known = _read(file)
    if key in known:
        return known[key]
    size = _measured(seconds_of, sizes)
    log.info("forward passes of %d pictures are the best here", size)
    if file is not None:
        _write(file, known | {key: size})
    return size


def machine_key(*parts: object) -> str:
    """What the best size depends on: the processor, torch, and the given parts."""
    return " ".join(str(part) for part in (_processor(), torch.__version__, *parts))


def usable_cores() -> int:
    """Processor cores this process may use: those it may run on, or fewer where a container's quota says so."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        cores = os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text("utf-8").split()
        return max(1, min(cores, -(-int(quota) // int(period))))
    except (OSError, ValueError):  # no such limit, or "max"
        return cores


def _measured(seconds_of: Callable[[int], float], sizes: Sequence[int]) -> int:
    began = time.monotonic()
    seconds_of(1)  # warm
    rates: dict[int, float] = {}
    for size in sizes:
        if rates and time.monotonic() - began > _BUDGET_SECONDS:
            break
        rates[size] = size / min(seconds_of(size) for _ in range(_TIMES))
    best = max(rates.values())
    return next(size for size, rate in rates.items() if rate >= _ENOUGH * best)


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _read(file: Path | None) -> dict[str, int]:
    try:
        known = json.loads(file.read_bytes()) if file is not None else {}
        return {key: size for key, size in known.items() if isinstance(size, int) and size > 0}
    except (OSError, ValueError, AttributeError):
        return {}


def _write(file: Path, known: dict[str, int]) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_name(f"{file.name}.{os.getpid()}.part")
        partial.write_text(json.dumps(known, indent=1), "utf-8")
        partial.replace(file)
    except OSError as err:
        log.warning("the size of forward passes cannot be kept in %s and is measured at each start: %s", file, err)
