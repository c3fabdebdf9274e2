"""Which cosine says no more than chance: measured on the index itself, for every model has its own.

Pairs that do not belong together (pictures of products in different categories, a product's title and another's
picture) are what a search without a match meets. The score that one pair in a hundred of these reaches is the least
that counts as a match.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.domain.picture import Vectors

QUANTILE = 0.99
"""Of pairs from different categories. docs/search.md has the table of what it keeps and what it recognises."""

ANY_QUANTILE = 0.92
"""Of pairs of different products, where there are too few categories to tell pairs apart: some of these do belong
together, so that a lower share of them is chance."""

MIN_PAIRS = 2_000
"""Pairs of different categories that are enough: 20 of them lie above their quantile."""


@dataclass(frozen=True)
class Drawn:
    """Vectors of a sample, (n, dimension), and whose each is: its product and its category (empty: none)."""

    vectors: Vectors
    products: Sequence[str]
    categories: Sequence[str]

    def of(self, places: NDArray[np.int64]) -> "Drawn":
        """Those at these places."""
        chosen = places.tolist()
        return Drawn(self.vectors[places], [self.products[it] for it in chosen], [self.categories[it] for it in chosen])


def least_score(pictures: Drawn, titles: Drawn, text_share: float) -> float:
    """The cosine that a search mixed of so much text and the rest picture has to reach; -1 where nothing can be said.

    A mixed query is played with the sample: a picture and a title of different products, against a third one's picture.
    """
    if text_share <= 0.0:
        return _quantile(pictures.vectors @ pictures.vectors.T, pictures, [pictures])
    if text_share >= 1.0:
        return _quantile(titles.vectors @ pictures.vectors.T, pictures, [titles])
    count = min(len(titles.products), len(pictures.products))
    if not count:
        return -1.0
    shown, said = pictures.of(np.arange(count)), titles.of(np.arange(count))
    mixed = (1.0 - text_share) * shown.vectors + text_share * said.vectors
    lengths = np.linalg.norm(mixed, axis=1, keepdims=True)
    return _quantile((mixed / np.maximum(lengths, 1e-6)) @ pictures.vectors.T, pictures, [shown, said])


def _quantile(scores: NDArray[np.float32], pictures: Drawn, queries: Sequence[Drawn]) -> float:
    """Of (queries, pictures) scores, without the pairs that may belong together."""
    other = np.ones(scores.shape, dtype=bool)
    strange = np.ones(scores.shape, dtype=bool)
    for query in queries:
        other &= _differs(query.products, pictures.products)
        strange &= _differs(query.categories, pictures.categories) & _given(query.categories, pictures.categories)
    strange &= other
    if strange.sum() >= MIN_PAIRS:
        return float(np.quantile(scores[strange], QUANTILE))
    return float(np.quantile(scores[other], ANY_QUANTILE)) if other.any() else -1.0


def _differs(rows: Sequence[str], columns: Sequence[str]) -> NDArray[np.bool_]:
    unlike: NDArray[np.bool_] = np.array(rows, dtype=object)[:, None] != np.array(columns, dtype=object)[None, :]
    return unlike


def _given(rows: Sequence[str], columns: Sequence[str]) -> NDArray[np.bool_]:
    both: NDArray[np.bool_] = np.array(rows, dtype=bool)[:, None] & np.array(columns, dtype=bool)[None, :]
    return both
