"""An encoder of colours: honest (like is near like, words meet pictures), deterministic, and fast."""

import re
from collections.abc import Sequence
from hashlib import sha256
from itertools import pairwise
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from backend.domain.picture import Pixels, Vectors
from backend.errors import ModelUnavailable
from backend.ports import Space

COLOURS = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "grey": (128, 128, 128),
    "red": (220, 20, 20),
    "green": (20, 160, 40),
    "blue": (20, 40, 220),
    "yellow": (240, 220, 20),
    "orange": (250, 140, 10),
    "purple": (130, 20, 150),
    "pink": (250, 150, 190),
    "brown": (120, 70, 20),
}
GRID = 3
FEATURES = GRID * GRID * 3 + 1
BIAS = 0.25  # keeps a mid-grey picture, whose colours are all zero, from having no direction at all


class FakeEmbedder:
    """`ports.Embedder` over the mean colours of a 3 x 3 grid.

    A text is the mean of its colour words, as if they were plain pictures; a text without one gets a direction of its
    own. `pictures_embedded`, `texts_embedded` and `batches` (sizes of the picture batches, in order) count the work;
    `fail(error)` makes every later call raise it, `recover()` ends that. Another `seed` is another model: another
    fingerprint and vectors that mean nothing to this one.
    """

    picture_side = 32
    how = "cpu, float64, mean colours"

    def __init__(self, dimension: int = 32, *, model: str = "fake", seed: int = 0) -> None:
        self.space = Space(model=model, dimension=dimension, fingerprint=f"{seed:08x}{dimension:08x}")
        self.pictures_embedded = 0
        self.texts_embedded = 0
        self.batches: list[int] = []
        self._error: Exception | None = None
        self._lock = Lock()
        # Orthonormal where the dimension allows, so that distances between vectors are those between the colours.
        size = max(dimension, FEATURES)
        orthonormal, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))
        self._projection = orthonormal[:FEATURES, :dimension]

    def fail(self, error: Exception | None = None) -> None:
        """Raise `error` (by default `ModelUnavailable`) from the next calls on."""
        self._error = error or ModelUnavailable("The fake encoder was told to fail.")

    def recover(self) -> None:
        """End what `fail` began."""
        self._error = None

    def embed_images(self, pictures: Sequence[Pixels]) -> Vectors:
        with self._lock:
            self.batches.append(len(pictures))
            if self._error is not None:
                raise self._error
            self.pictures_embedded += len(pictures)
        return self._project([_picture_features(pixels) for pixels in pictures])

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        with self._lock:
            if self._error is not None:
                raise self._error
            self.texts_embedded += len(texts)
        return self._project([_text_features(text) for text in texts])

    def _project(self, features: Sequence[NDArray[np.float64]]) -> Vectors:
        vectors = np.asarray(features, np.float64).reshape(-1, FEATURES) @ self._projection
        rows: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        return rows


def _picture_features(pixels: Pixels) -> NDArray[np.float64]:
    height, width, _ = pixels.shape
    rows, columns = (np.linspace(0, side, GRID + 1).astype(int) for side in (height, width))
    # max(): a picture of fewer than three pixels has empty cells
    cells = [
        pixels[top : max(bottom, top + 1), left : max(right, left + 1)].mean(axis=(0, 1))
        for top, bottom in pairwise(rows)
        for left, right in pairwise(columns)
    ]
    return np.append(np.concatenate(cells) / 127.5 - 1.0, BIAS)


def _text_features(text: str) -> NDArray[np.float64]:
    colours = [COLOURS[word] for word in re.findall(r"\w+", text.casefold()) if word in COLOURS]
    if colours:
        return np.append(np.tile(np.mean(colours, axis=0) / 127.5 - 1.0, GRID * GRID), BIAS)
    seed = int.from_bytes(sha256(text.casefold().encode()).digest()[:8])
    return np.random.default_rng(seed).normal(size=FEATURES)
