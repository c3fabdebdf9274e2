"""The packaged encoder: an `Embedder` that needs no model hub, only packages from PyPI."""

import hashlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import torch

from backend.domain.picture import Pixels, Vectors
from backend.embedding.allocation import keep_freed_memory
from backend.embedding.packaged import weights
from backend.embedding.packaged.anchors import cached_anchors
from backend.embedding.packaged.class_space import ClassSpace, build_class_space
from backend.embedding.packaged.colour import colour_settings
from backend.embedding.packaged.colour_shades import COLOUR_WORDS
from backend.embedding.packaged.fastest import fastest
from backend.embedding.packaged.network import FeatureTower, load_tower
from backend.embedding.packaged.pictures import AT_ONCE, PictureSide, Tower
from backend.embedding.packaged.recipe import RECIPE, Recipe
from backend.embedding.packaged.sentences import Sentences
from backend.embedding.packaged.vocabulary import data_text, load_vocabulary
from backend.embedding.packaged.words import WordSide
from backend.embedding.passes import Passes
from backend.embedding.precision import fast_dtype
from backend.embedding.tuning import usable_cores
from backend.ports import Space

MODEL_NAME = "packaged"

_PICTURE_SIDE = 390
"""1.5 times the network's 260 pixels. The crop keeps .875 of the short side, so 298 would just do; a JPEG reduced while
decoding to no less than 390 keeps a feature cosine of .9995 on average and .996 at worst to the full decode."""

_FINGERPRINT_LENGTH = 16
"""Hex digits: 64 bits tell any two versions apart that anyone will ever make, and fit on a line of a message."""

_T = TypeVar("_T")


class PackagedEncoder:
    """Pictures and words -> vectors of 512 numbers (see `recipe` for their parts).

    Construction hashes the weights (half a second) and loads nothing: pictures bring in their network at the first
    picture, words theirs at the first text. `warm_up` does both beforehand. Safe to call from several threads.

    `cache_dir` keeps the vocabulary's sentence vectors, which take some seconds to compute.

    `threads` is how many cores one forward pass uses. torch knows no such setting per model, so loading sets it for
    the whole process; the default of one lets requests and a worker run side by side instead of waiting for each
    other's cores, and on busy machines it is far faster than two.

    Computes in the processor's fastest type as long as the vectors stay those of float32 (`fastest`); `exact` is always
    float32.

    Pictures that are asked for at the same moment share a forward pass (`passes`): four together take a sixth less
    time than four alone.

    Raises `errors.ModelUnavailable` when a package is missing or damaged: the constructor for what it can see, the
    first use for what only loading shows.
    """

    def __init__(self, cache_dir: Path, threads: int = 1, *, exact: bool = False) -> None:
        keep_freed_memory()
        self._cache_dir, self._threads = cache_dir, threads
        self._dtype = torch.float32 if exact else fast_dtype("cpu")
        self._space = Space(MODEL_NAME, RECIPE.dimension, fingerprint_of(weights.weight_hashes()))
        self._network = _Once(self._load_network)
        self._pictures = _Once(self._load_pictures)
        self._words = _Once(self._load_words)
        side_by_side = max(usable_cores() // threads, 1)
        self._passes = Passes[Pixels](
            lambda pictures, _: self._pictures().vectors(pictures),
            largest=AT_ONCE,
            places=side_by_side,
            batch_places=side_by_side,
        )

    @property
    def space(self) -> Space:
        """The fingerprint covers the weights, the recipe, the colour table and the vocabulary."""
        return self._space

    @property
    def picture_side(self) -> int:
        """Pixels the short side of a picture should have at least; smaller ones are scaled up."""
        return _PICTURE_SIDE

    @property
    def how(self) -> str:
        """For people: device, type and threads; the type is known when the network is loaded."""
        side = self._pictures.made
        computes = "not loaded yet" if side is None else str(side.dtype).removeprefix("torch.")
        return f"cpu, {computes}, {self._threads} thread{'s' if self._threads > 1 else ''}"

    def embed_images(self, pictures: Sequence[Pixels]) -> Vectors:
        """(n, 512) float32, unit rows, in order. A picture's vector does not depend on the others beside it."""
        return self._passes(pictures) if pictures else np.zeros((0, RECIPE.dimension), np.float32)

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """(n, 512) float32, unit rows. English only. A text and a picture score .6 at most: words have no looks."""
        return self._words().vectors(texts)

    def warm_up(self) -> None:
        """Load both sides and run each once, so that the first request does not wait for it."""
        blank = np.zeros((_PICTURE_SIDE, _PICTURE_SIDE, 3), dtype=np.uint8)
        self.embed_images([blank])
        self.embed_texts(["product"])

    def _load_network(self) -> tuple[FeatureTower, ClassSpace]:
        torch.set_num_threads(self._threads)
        tower, head = load_tower(weights.tower_file())
        return tower, build_class_space(head.weight.numpy(), head.bias.numpy(), RECIPE)

    def _load_pictures(self) -> PictureSide:
        tower, classes = self._network()
        return fastest(tower, partial(_picture_side, classes), self._dtype)

    def _load_words(self) -> WordSide:
        _, classes = self._network()
        sentences = Sentences(weights.sentences_folder())
        vocabulary = load_vocabulary()
        path = self._cache_dir / f"packaged-anchors-{self._space.fingerprint}.npz"
        anchors = cached_anchors(path, self._space.fingerprint, list(vocabulary.anchors), sentences.embed)
        return WordSide(
            sentences=sentences,
            vocabulary=vocabulary,
            anchors=anchors,
            class_basis=classes.class_basis,
            recipe=RECIPE,
        )


def _picture_side(classes: ClassSpace, tower: Tower) -> PictureSide:
    return PictureSide(tower=tower, classes=classes, recipe=RECIPE)


def fingerprint_of(weight_hashes: Mapping[str, str], recipe: Recipe = RECIPE) -> str:
    """A hash over everything that decides what a vector means, the same on every machine.

    It takes the numbers as written, not the tables computed from them: those differ in the last bit between processors.
    """
    facts = {
        "weights": dict(weight_hashes),
        "recipe": asdict(recipe),
        "colours": colour_settings(),
        "colour words": COLOUR_WORDS,
        "vocabulary": data_text("vocabulary.txt"),
        "class names": data_text("class_names.txt"),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:_FINGERPRINT_LENGTH]


class _Once(Generic[_T]):
    """A value made at its first use, by one thread while the others wait."""

    def __init__(self, make: Callable[[], _T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self.made: _T | None = None

    def __call__(self) -> _T:
        with self._lock:
            if self.made is None:
                self.made = self._make()
            return self.made
