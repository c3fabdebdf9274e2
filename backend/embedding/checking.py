"""Does an encoder do what it should on this machine? Tried on a few pictures and texts, as `shelfsight model check`."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Final

import numpy as np

from backend.domain.picture import Vectors
from backend.embedding.precision import CHECK_TEXTS, check_pictures
from backend.errors import ModelUnavailable, ShelfsightError
from backend.ports import Embedder

_UNIT_TOLERANCE: Final = 1e-3
"""Far above the rounding of bfloat16 that is scaled to length one in float32, far below what changes an order."""

_SAME_COSINE: Final = 0.99999
"""Noise and stripes this near to each other: the weights say nothing of pictures (all zeros, or a frozen tower)."""

_TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class Seconds:
    """The median time of one picture (of the size that decoders hand over) and of one text, each alone."""

    picture: float
    text: float


def check(embedder: Embedder) -> Seconds:
    """Raises `errors.ModelUnavailable` with one sentence unless vectors are of the right shape, finite, of unit length
    and not all the same.
    """
    _judge("pictures", lambda: embedder.embed_images(check_pictures()), len(check_pictures()), embedder.space.dimension)
    _judge("texts", lambda: embedder.embed_texts(CHECK_TEXTS), len(CHECK_TEXTS), embedder.space.dimension)
    side = embedder.picture_side
    photo = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    return Seconds(
        picture=median(_seconds(lambda: embedder.embed_images([photo])) for _ in range(_TRIES)),
        text=median(_seconds(lambda: embedder.embed_texts([CHECK_TEXTS[0]])) for _ in range(_TRIES)),
    )


def _judge(what: str, embed: Callable[[], Vectors], count: int, dimension: int) -> None:
    try:
        vectors = embed()
    except ShelfsightError:
        raise
    except Exception as err:  # whatever a library raises, the check has found something
        raise ModelUnavailable(f"The encoder fails on {what}: {type(err).__name__}: {err}") from err
    if vectors.shape != (count, dimension):
        raise ModelUnavailable(f"{count} {what} give {vectors.shape} numbers instead of {(count, dimension)}.")
    if not np.isfinite(vectors).all():
        raise ModelUnavailable(f"The vectors of {what} are not all finite numbers: the weights are damaged.")
    if np.abs(np.linalg.norm(vectors, axis=1) - 1).max() > _UNIT_TOLERANCE:
        raise ModelUnavailable(f"The vectors of {what} are not of unit length.")
    if (vectors @ vectors.T).min() > _SAME_COSINE:
        raise ModelUnavailable(f"Different {what} all give the same vector: the weights are damaged.")


def _seconds(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun
