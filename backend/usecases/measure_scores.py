"""The least score of a match, measured on a sample of the index and measured again as the index grows."""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from backend.domain.least_score import Drawn, least_score
from backend.domain.picture import Vector, Vectors
from backend.ports import Clock, Embedder, Point, VectorStore

_log = logging.getLogger(__name__)

PICTURES = 512
"""Drawn at random: 260,000 pairs, whose quantile moves by 0.01 or less from one draw to the next."""
TITLES = 64
"""Titles embedded for searches by words: 32,000 pairs."""
FRESH = timedelta(hours=1)
GROWN = 1.5
"""Measured again when there are so many times the pictures there were, or that part of them."""
STEPS = 20
"""Mixtures of words and picture are measured in steps of a twentieth."""


@dataclass
class _Measured:
    """A sample, and what was measured on it so far: text share in `STEPS` -> least score."""

    at: datetime
    points: int
    drawn: Sequence[Point]
    pictures: Drawn
    titles: Drawn | None
    scores: dict[int, float]


class MeasureScores:
    """One measurement for all merchants of an index: chance is the model's, not the shop's. Thread-safe."""

    def __init__(self, vectors: VectorStore, embedder: Embedder, clock: Clock) -> None:
        self._vectors = vectors
        self._embedder = embedder
        self._clock = clock
        self._lock = threading.Lock()
        self._measured: _Measured | None = None

    def __call__(self, text_share: float) -> float:
        """The least cosine of a match for a search that is so much words (0 to 1). Raises `Unavailable`.

        The first search that asks waits for the measurement, and one an hour does; beside it the others go on with what
        was measured before, and so does everyone while the encoder does not answer.
        """
        step = round(text_share * STEPS)
        known = self._measured
        if known is not None and step in known.scores and (not self._stale(known) or self._lock.locked()):
            return known.scores[step]
        with self._lock:
            known = self._measured
            if known is None or self._stale(known):
                known = self._measured = self._renewed(known, step)
            if step not in known.scores:
                known.scores[step] = self._measure(known, step / STEPS)
            return known.scores[step]

    def _renewed(self, known: _Measured | None, step: int) -> _Measured:
        """Another measurement of this mixture and of those that were measured: whole before anybody sees it."""
        try:
            fresh = self._sample()
            for each in {step, *(known.scores if known is not None else ())}:
                fresh.scores[each] = self._measure(fresh, each / STEPS)
        except Exception:
            if known is None or step not in known.scores:
                raise
            _log.warning("the least score was not measured again; what was measured before holds", exc_info=True)
            return known
        return fresh

    def _stale(self, known: _Measured) -> bool:
        points = self._vectors.count()
        return self._clock() - known.at > FRESH or not known.points / GROWN <= points <= known.points * GROWN

    def _sample(self) -> _Measured:
        drawn = self._vectors.sample(PICTURES)
        return _Measured(
            self._clock(), self._vectors.count(), drawn, self._of(drawn, [it.vector for it in drawn]), None, {}
        )

    def _measure(self, known: _Measured, text_share: float) -> float:
        if text_share > 0.0 and known.titles is None:
            known.titles = self._titles(known.drawn)
        return least_score(known.pictures, known.titles or known.pictures, text_share)

    def _titles(self, drawn: Sequence[Point]) -> Drawn:
        # From the sample's end: its first pictures are what titles are mixed with, and those should be others'.
        titled = [point for point in reversed(drawn) if point.payload.get("title")][:TITLES]
        titles = [str(point.payload["title"]) for point in titled]
        return self._of(titled, self._embedder.embed_texts(titles) if titles else [])

    def _of(self, points: Sequence[Point], vectors: Sequence[Vector] | Vectors) -> Drawn:
        stacked = np.array(vectors, np.float32).reshape(len(points), self._embedder.space.dimension)
        said = ([str(it.payload.get(fact) or "") for it in points] for fact in ("merchant", "product_id", "category"))
        return Drawn(stacked, *said)
