"""Which cosine says no more than chance: measured on the index itself, for every model has its own.

Pairs that do not belong together are what a search without a match meets: pictures of one merchant's products in
categories that differ from the first level on, a product's title and another's picture. `dress/mini` and `dress/maxi`
are alike, and so may be what two merchants call `dresses` and `gowns`. The score that one pair in a hundred of these
reaches is the least that counts as a match.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.domain.picture import Vectors

QUANTILE = 0.99
"""Of strangers: right products stay, nine in ten searches for what is not there are recognised. docs/search.md has the
table, and the command that makes it."""

ANY_QUANTILE = 0.92
"""Of pairs of different products, where there are too few strangers: some of these do belong
together, so that a lower share of them is chance."""

MIN_PAIRS = 2_000
"""Strangers that are enough: 40 of them lie above their quantile."""

MIN_SHARE = 0.4
"""Strangers among the pairs of different products that are enough: where nine in ten products are clothing, that few
pairs are of other kinds says nothing of the clothing (the least score was 0.45 where 0.67 tells it from chairs)."""


@dataclass(frozen=True)
class Drawn:
    """Vectors of a sample, (n, dimension), and whose each is: its merchant, product and category (empty: none)."""

    vectors: Vectors
    merchants: Sequence[str]
    products: Sequence[str]
    categories: Sequence[str]

    def of(self, places: NDArray[np.int64]) -> "Drawn":
        """Those at these places."""
        merchants, products, categories = (
            [values[it] for it in places.tolist()] for values in (self.merchants, self.products, self.categories)
        )
        return Drawn(self.vectors[places], merchants, products, categories)

    @property
    def keys(self) -> Sequence[tuple[str, str]]:
        """Merchant and product: an id is one merchant's."""
        return list(zip(self.merchants, self.products, strict=True))

    @property
    def kinds(self) -> Sequence[str]:
        """The first level of each category."""
        return [category.split("/", 1)[0] for category in self.categories]


def least_score(pictures: Drawn, titles: Drawn, text_share: float) -> float:
    """The cosine that a search of so much text (the rest is picture) has to reach; -1 where nothing can be said."""
    scores, quantile = strangers(pictures, titles, text_share)
    return float(np.quantile(scores, quantile)) if len(scores) else -1.0


def strangers(
    pictures: Drawn, titles: Drawn, text_share: float, min_share: float = MIN_SHARE
) -> tuple[NDArray[np.float32], float]:
    """The scores of pairs that do not belong together, and which quantile of these chance reaches.

    A mixed query is played with the sample: a picture and a title of different products, against a third one's picture.
    """
    if text_share <= 0.0:
        return _strange(pictures.vectors, pictures, [pictures], min_share)
    if text_share >= 1.0:
        return _strange(titles.vectors, pictures, [titles], min_share)
    count = min(len(titles.products), len(pictures.products))
    shown, said = pictures.of(np.arange(count)), titles.of(np.arange(count))
    mixed = (1.0 - text_share) * shown.vectors + text_share * said.vectors
    lengths = np.maximum(np.linalg.norm(mixed, axis=1, keepdims=True), 1e-6)
    return _strange((mixed / lengths).astype(np.float32), pictures, [shown, said], min_share)


def _strange(
    queries: Vectors, pictures: Drawn, made_of: Sequence[Drawn], min_share: float
) -> tuple[NDArray[np.float32], float]:
    """Of (queries, pictures) scores those of strangers, or if these are too few of different products."""
    scores: NDArray[np.float32] = queries @ pictures.vectors.T
    other = np.ones(scores.shape, dtype=bool)
    strange = np.ones(scores.shape, dtype=bool)
    for part in made_of:
        other &= _differs(part.keys, pictures.keys)
        strange &= _differs(part.kinds, pictures.kinds) & _given(part.kinds, pictures.kinds)
        strange &= ~_differs(part.merchants, pictures.merchants)
    strange &= other
    enough = strange.sum() >= max(MIN_PAIRS, min_share * other.sum())
    return (scores[strange], QUANTILE) if enough else (scores[other], ANY_QUANTILE)


def _differs(rows: Sequence[Hashable], columns: Sequence[Hashable]) -> NDArray[np.bool_]:
    numbers = {value: number for number, value in enumerate({*rows, *columns})}
    unlike: NDArray[np.bool_] = np.array([numbers[it] for it in rows])[:, None] != [numbers[it] for it in columns]
    return unlike


def _given(rows: Sequence[str], columns: Sequence[str]) -> NDArray[np.bool_]:
    both: NDArray[np.bool_] = np.array(rows, dtype=bool)[:, None] & np.array(columns, dtype=bool)[None, :]
    return both
