"""How exactly an encoder computes on this machine: half as many bits where the processor is made for it, and only as
long as the vectors stay the same for every purpose, which is measured at each start.
"""

import logging
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import torch

from backend.domain.picture import Pixels, Vectors
from backend.embedding.integer_linear import IntegerLinear

log = logging.getLogger(__name__)

LEAST_COSINE: Final = 0.995
"""To the vectors of float32, for each of the check's pictures and texts. Two photographs of one product differ more:
the median cosine of the same category is .6 with the packaged encoder, and bfloat16 costs .0005."""

_SIDES: Final = 96

_TIMES: Final = 8

_WIDTH: Final = 768
_TOKENS: Final = 500
"""Of a layer to measure: as a small CLIP has them, and ten pictures' tokens."""


def fast_dtype(device: str) -> torch.dtype:
    """The type that `device` (`cpu`, `cuda`, `mps`) computes fastest in, float32 where no other is faster.

    bfloat16 on a processor without instructions for it is emulated, several times slower than float32; and some that
    have them are slower with them all the same, which is measured (20 to 90 ms). With AMX switched off a Xeon that
    has it took 1.4 times as long for a CLIP in bfloat16 as in float32, 1.3 times for the packaged encoder; with it .2
    and .5.
    """
    if device == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    if device == "mps":
        return torch.float16
    if device == "cpu" and _has_bfloat16():
        return min((torch.bfloat16, torch.float32), key=_seconds_of_product)
    return torch.float32


def multiplies_whole_faster() -> bool:
    """Whether the processor multiplies whole numbers of eight bits faster than float32, with all that goes with it."""
    try:
        whole = IntegerLinear(torch.ones(_WIDTH, _WIDTH), None)
    except RuntimeError:  # this torch does not
        return False
    tokens = torch.ones(_TOKENS, _WIDTH)
    return _least_seconds(lambda: whole(tokens)) < _seconds_of_product(torch.float32)


def check_pictures() -> list[Pixels]:
    """Four fixed pictures, (96, 96, 3) uint8: noise, a gradient, stripes, and one colour with a spot in it."""
    noise = np.random.default_rng(0).integers(0, 256, (_SIDES, _SIDES, 3), dtype=np.uint8)
    ramp = np.linspace(0, 255, _SIDES, dtype=np.uint8)
    gradient = np.stack([np.tile(ramp, (_SIDES, 1)), np.tile(ramp[:, None], (1, _SIDES)), noise[..., 2] // 8], axis=-1)
    stripes = np.zeros((_SIDES, _SIDES, 3), np.uint8)
    stripes[::8] = (230, 40, 60)
    spot = np.full((_SIDES, _SIDES, 3), (240, 240, 235), np.uint8)
    spot[30:66, 24:72] = (20, 60, 140)
    return [noise, gradient, stripes, spot]


CHECK_TEXTS: Final = ("red shoe", "a long blue summer dress with white flowers")


def least_cosine(vectors: Vectors, exact: Vectors) -> float:
    """The smallest cosine between the rows of one and the rows of the other, all of unit length. NaN counts as -1."""
    cosines = np.einsum("nd,nd->n", vectors.astype(np.float64), exact.astype(np.float64))
    return float(np.nan_to_num(cosines, nan=-1.0).min())


def agrees(vectors: Callable[[], Vectors], exact: Vectors, what: str) -> bool:
    """Whether the faster way gives the same vectors as float32. Whatever it fails with, it does not agree."""
    try:
        cosine = least_cosine(vectors(), exact)
    except Exception as err:  # noqa: BLE001 - mostly torch's RuntimeError, for what is not there in this type
        log.warning("%s fails on this machine, float32 is used instead: %s", what, err)
        return False
    if cosine < LEAST_COSINE:
        log.warning("%s changes vectors here (cosine %.4f to float32), float32 is used instead", what, cosine)
    return cosine >= LEAST_COSINE


def _seconds_of_product(dtype: torch.dtype) -> float:
    tokens, weight = torch.ones(_TOKENS, _WIDTH, dtype=dtype), torch.ones(_WIDTH, _WIDTH, dtype=dtype)
    return _least_seconds(lambda: torch.nn.functional.linear(tokens, weight))


def _least_seconds(run: Callable[[], object]) -> float:
    """The best of some: other work only adds to it."""
    times = []
    with torch.inference_mode():
        for _ in range(_TIMES):
            began = time.perf_counter()
            run()
            times.append(time.perf_counter() - began)
    return min(times)


def _has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 (AVX512-BF16 or AMX; on Arm the extension BF16)."""
    # torch has no public question for it; where its private ones go, float32 is used until somebody looks.
    known = [getattr(torch.cpu, f"_is_{name}_supported", None) for name in ("avx512_bf16", "amx_tile")]
    if any(question() for question in known if question is not None):
        return True
    if platform.machine() not in {"aarch64", "arm64"}:
        return False
    try:
        return " bf16" in Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:  # macOS: its GPU is used instead
        return False
