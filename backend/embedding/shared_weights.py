"""Weights that processes of one machine have in common: mapped from a file, each page is in memory once."""

import ctypes
import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from backend.errors import ModelUnavailable


def share_weights(model: nn.Module, file: Path) -> None:
    """Exchange the model's weights for the same numbers in `file`, which is written first where it lacks or differs.

    For a model on the processor that is only inferred with: its pages are copied for whoever writes to them. Raises
    `ModelUnavailable` when the file can be neither read nor written.
    """
    weights = {name: parameter.data for name, parameter in model.named_parameters()}
    try:
        with _alone_with(file):
            if not _same(mapped := _mapped(file), weights):
                _write(file, weights)
                mapped = _mapped(file)
    except (OSError, SafetensorError) as err:
        raise ModelUnavailable(f"The weights to be shared cannot be kept in {file}: {err}") from err
    for name, parameter in model.named_parameters():
        parameter.data = mapped[name]
    del weights
    _give_back()


@contextmanager
def _alone_with(file: Path) -> Iterator[None]:
    """Processes that start together take turns: the first writes, the others find what it wrote and map the same."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _mapped(file: Path) -> dict[str, Tensor]:
    try:
        return load_file(file)
    except (OSError, SafetensorError):  # not there, or damaged
        return {}


def _same(mapped: dict[str, Tensor], weights: dict[str, Tensor]) -> bool:
    """To the last bit: a file of another model, type or release must not stand in for this one's weights."""
    return mapped.keys() == weights.keys() and all(
        mapped[name].dtype == weight.dtype and torch.equal(mapped[name], weight) for name, weight in weights.items()
    )


def _write(file: Path, weights: dict[str, Tensor]) -> None:
    """To a file beside it, then renamed over it: a process that has mapped the old one keeps it."""
    partial = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        save_file({name: weight.contiguous() for name, weight in weights.items()}, partial)
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


def _give_back() -> None:
    """What the exchanged weights took. `allocation.keep_freed_memory` would keep it with the process otherwise."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform.startswith("linux") else None
    if trim is not None:  # musl has none
        trim(0)
