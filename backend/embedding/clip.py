"""CLIP models through sentence-transformers: a name on the hub, or a folder on disk, as fast as the machine allows."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import torch

from backend.domain.picture import Pixels, Vectors
from backend.embedding.allocation import keep_freed_memory
from backend.embedding.clip_loading import (
    damaged,
    device_of,
    failing_as,
    load_clip,
    loadable,
    told_as_ours,
)
from backend.embedding.folder import fingerprint_of
from backend.embedding.hub import Hub
from backend.embedding.passes import Passes
from backend.embedding.precision import agrees, fast_dtype, multiplies_whole_faster
from backend.embedding.threads import on_its_share
from backend.embedding.towers import EXACT, Towers, Way
from backend.embedding.tuning import SIZES, machine_key, tuned_batch, usable_cores
from backend.errors import ModelUnavailable
from backend.ports import Space

PICTURE_SIDE_FACTOR: Final = 1.5
"""How much larger than the model's input a picture's short side should still be. A decoder that shrinks a JPEG while it
reads it (in steps of two) down to this keeps a mean cosine of .9995 to the full decode (least .996), three times as
fast, measured on 1,000 px photos; the bicubic scaling that follows still has pixels to average."""

_TEXTS_AT_ONCE: Final = 32

_SIDE_BY_SIDE: Final = 2
"""Passes of one kind on a CPU, each with half of the threads: of searches, and of an import's batches. Eight callers
who each search by a picture got 1.60 times the answers of a lock around passes, 1.43 times with one place; two callers
1.51 and 1.07 times (two cores without AVX-512)."""

_T = TypeVar("_T")


class ClipEncoder:
    """`ports.Embedder` for CLIP and models built like it (one transformer module with an image and a text tower).

    `model` is a folder (of sentence-transformers, transformers or OpenCLIP) or a name on the hub; a short name means
    `sentence-transformers/<name>`. A folder or a model in the cache is loaded without any network. `device` is `auto`
    or one of torch's. `threads` sets torch's threads for the whole process, None takes every core it may use. Texts are
    cut at the model's token limit.

    Computes in the device's fastest type as long as the vectors stay those of float32 (`precision`); `exact` is always
    float32. `batch` pictures go through the model at once; None measures which number is best here, once, and keeps it
    in `cache_dir`. Callers in several threads share passes (`passes`). `shared`: on a CPU the weights are mapped from
    `cache_dir`, for all processes that do so to have one copy; their layers cannot be fused then, which is slower.

    Raises `errors.ModelUnavailable` when there is no such model, it is incomplete or damaged, or it is none that puts
    pictures and texts into one space; and from the embed methods when the device gives up (no memory, say).
    """

    def __init__(
        self,
        model: str,
        *,
        device: str = "auto",
        threads: int | None = None,
        exact: bool = False,
        batch: int | None = None,
        cache_dir: Path | None = None,
        shared: bool = False,
        hub: Hub | None = None,
    ) -> None:
        keep_freed_memory()
        self._threads = threads or usable_cores()
        torch.set_num_threads(self._threads)
        located = (hub or Hub()).locate(model)
        fingerprint = fingerprint_of(located)
        with told_as_ours(f"The model {model}"):
            self._device = device_of(device)
            folder = loadable(located, fingerprint, cache_dir)
            self._towers = Towers(load_clip(folder, self._device), self._device)
            dimension = self._checked_dimension(model)
            shared = shared and self._device == "cpu" and cache_dir is not None
            if not exact:
                self._towers = self._fastest(folder, shared=shared)
            if shared and cache_dir is not None:
                self._towers.share(cache_dir / f"weights-{fingerprint}-{self._towers.way}.safetensors")
        self._space = Space(model=model, dimension=dimension, fingerprint=fingerprint)
        places = _SIDE_BY_SIDE if self._device == "cpu" else 1
        self._pictures = Passes(
            on_its_share(_asked(self._towers.pictures), self._threads),
            largest=batch or self._tuned(cache_dir),
            places=places,
            batch_places=places,
        )
        self._texts = Passes(
            on_its_share(_asked(self._towers.texts), self._threads), largest=_TEXTS_AT_ONCE, places=places
        )

    @property
    def space(self) -> Space:
        """Name as the user wrote it, dimension, and the fingerprint of `folder.fingerprint_of`."""
        return self._space

    @property
    def picture_side(self) -> int:
        """The side of the model's input, times `PICTURE_SIDE_FACTOR`: 336 for a ViT-B/32."""
        return round(self._towers.side * PICTURE_SIDE_FACTOR)

    @property
    def how(self) -> str:
        """For people: device, type, threads and pictures per pass."""
        threads = f", {self._threads} threads" if self._device == "cpu" else ""
        return f"{self._device}, {self._towers.way}{threads}, {self._pictures.largest} pictures at once"

    def embed_images(self, pictures: Sequence[Pixels]) -> Vectors:
        """(n, dimension) float32, unit rows, in order."""
        if not pictures:
            return self._none()
        # Scaled by the caller's thread, while another caller's pictures are in the model.
        return self._pictures([self._towers.prepared(picture) for picture in pictures])

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """(n, dimension) float32, unit rows, in order."""
        return self._texts(texts) if texts else self._none()

    def _none(self) -> Vectors:
        return np.zeros((0, self._space.dimension), np.float32)

    def _fastest(self, folder: Path, *, shared: bool) -> Towers:
        """The first of the faster ways that gives the vectors of float32, else float32 as it is."""
        exact = self._towers.check_vectors()
        towers = self._towers
        for way in _ways(self._device, fused=not shared):
            if agrees(partial(towers.check_vectors_by, way), exact, f"CLIP in {way}"):
                return towers
            towers = Towers(load_clip(folder, self._device), self._device)  # the exact weights were given up for it
        return towers

    def _checked_dimension(self, model: str) -> int:
        """Embed one picture and one text: the only proof that both towers work and meet in one space."""
        side = self._towers.side
        picture = self._towers.pictures([self._towers.prepared(np.full((side, side, 3), 128, np.uint8))])
        text = self._towers.texts(["a grey square"])
        if picture.shape != text.shape:
            raise ModelUnavailable(
                f"The model {model} gives pictures {picture.shape[-1]} dimensions and texts {text.shape[-1]}, so they "
                "cannot be compared. Choose a CLIP model, whose two towers end in one space."
            )
        if not (np.isfinite(picture).all() and np.isfinite(text).all()):
            raise ModelUnavailable(damaged(model))
        return int(picture.shape[1])

    def _tuned(self, cache_dir: Path | None) -> int:
        side = self._towers.side
        picture = self._towers.prepared(np.full((side, side, 3), 128, np.uint8))

        def seconds_of(count: int) -> float:
            began = time.perf_counter()
            self._towers.pictures([picture] * count)
            return time.perf_counter() - began

        key = machine_key(self._device, self._towers.way, self._threads, self._space.fingerprint)
        file = None if cache_dir is None else cache_dir / "passes.json"
        return tuned_batch(key, seconds_of, SIZES[self._device], file)


def _ways(device: str, *, fused: bool) -> list[Way]:
    """Those that may be faster than `EXACT`, the fastest first."""
    dtype = fast_dtype(device)
    ways = [Way(dtype, fused=False)]
    if fused and device == "cpu":
        whole = [Way(dtype, fused=True, whole=True)] if dtype == torch.float32 and multiplies_whole_faster() else []
        ways = [*whole, Way(dtype, fused=True), *ways]
    return [way for way in ways if way != EXACT]


def _asked(run: Callable[[Sequence[_T]], Vectors]) -> Callable[[Sequence[_T]], Vectors]:
    """`run`, with torch's own errors as ours."""

    def asked(inputs: Sequence[_T]) -> Vectors:
        with failing_as("The encoder"):
            return run(inputs)

    return asked
