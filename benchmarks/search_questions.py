"""What is asked, under which filters, and how an answer is judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend.domain.filters import AnyOf, Between, Condition, Filter, Within
from backend.domain.picture import Vector, Vectors
from benchmarks.search_data import Catalog, Photographs, asked_vectors, number_of, product_scores

WANTED_PRODUCTS = 10
PRICE_BAND = 0.2
CATEGORY = "category, 5 %"
SAME_SCORE = 1e-5
"""Two products whose scores differ by less are equally right: engines add up in other orders, and some in 4 bits."""


@dataclass(frozen=True)
class Wanted:
    """A shopper's filter; None: anything."""

    in_stock: bool | None = None
    category: str | None = None
    price: tuple[float, float] | None = None
    brand: str | None = None
    colour: str | None = None
    """An attribute, whose name is the merchant's own."""


@dataclass(frozen=True)
class Question:
    """`row` is the vector's row in the asked vectors; `kind` is `near` a picture or of `words`."""

    row: int
    kind: str
    wanted: Wanted


@dataclass(frozen=True)
class Questions:
    """All that is asked: the vectors once, and each class of filters over all of them.

    `texts`: for each vector the words of some product's title, as `linen dress`.
    """

    vectors: Vectors
    texts: Sequence[str]
    classes: Mapping[str, Sequence[Question]]

    def vector(self, question: Question) -> Vector:
        row: Vector = self.vectors[question.row]
        return row


def asked(base: Photographs, catalog: Catalog, scores: Path, each: int, seed: int = 3) -> Questions:
    """`each` questions near a picture and as many of words; the products' true scores are left in a file for `Judge`.

    A category is that of the best product for one half of the questions and any for the other: shoppers mostly filter
    for what they show, and a graph is worst where they do not.
    """
    random = np.random.default_rng(seed)
    vectors, kinds = asked_vectors(base, catalog, each)
    true = product_scores(catalog, vectors)
    np.save(scores, true)
    best = true.argmax(axis=1)
    strangers = random.integers(catalog.products, size=len(vectors))
    like = np.where(np.arange(len(vectors)) // 2 % 2 == 0, best, strangers)
    bands = [_band(catalog, start) for start in random.uniform(0, 1 - PRICE_BAND, len(vectors))]
    category = [str(catalog.category[number]) for number in like]
    brand = [str(catalog.brand[number]) for number in strangers]
    said = [str(catalog.title[number]).split(" ", 1)[1] for number in strangers]
    wishes = {
        "no filter": [Wanted()] * len(vectors),
        "in stock, 50 %": [Wanted(in_stock=True)] * len(vectors),
        CATEGORY: [Wanted(category=name) for name in category],
        "category and price, 1 %": [
            Wanted(category=name, price=band) for name, band in zip(category, bands, strict=True)
        ],
        "brand, 0.1 %": [Wanted(brand=name) for name in brand],
        "colour, an attribute, 8 %": [Wanted(colour=str(catalog.colour[number])) for number in strangers],
    }
    return Questions(
        vectors,
        said,
        {
            name: [Question(row, kind, wish) for row, (kind, wish) in enumerate(zip(kinds, wanted, strict=True))]
            for name, wanted in wishes.items()
        },
    )


def _band(catalog: Catalog, start: float) -> tuple[float, float]:
    low, high = np.quantile(catalog.price, (start, start + PRICE_BAND))
    return round(float(low), 2), round(float(high), 2)


def domain_filter(wanted: Wanted) -> Filter:
    """As the API reads it."""
    must: list[Condition] = []
    if wanted.in_stock is not None:
        must.append(AnyOf("in_stock", (int(wanted.in_stock),)))
    if wanted.category is not None:
        must.append(Within((wanted.category,)))
    if wanted.price is not None:
        must.append(Between("price", gte=wanted.price[0], lte=wanted.price[1]))
    if wanted.brand is not None:
        must.append(AnyOf("brand", (wanted.brand,)))
    if wanted.colour is not None:
        must.append(AnyOf("attributes.color", (wanted.colour,)))
    return Filter(must=tuple(must))


class Judge:
    """Knows which products satisfy a filter and how good each is, and so how much of an answer is right."""

    def __init__(self, catalog: Catalog, scores: Path) -> None:
        self._catalog = catalog
        self._scores = np.load(scores, mmap_mode="r")

    def kept(self, wanted: Wanted) -> NDArray[np.bool_]:
        """Which products satisfy it."""
        catalog = self._catalog
        kept = np.ones(catalog.products, np.bool_)
        if wanted.in_stock is not None:
            kept &= catalog.in_stock == wanted.in_stock
        if wanted.category is not None:
            kept &= catalog.category == wanted.category
        if wanted.price is not None:
            kept &= (catalog.price >= wanted.price[0]) & (catalog.price <= wanted.price[1])
        if wanted.brand is not None:
            kept &= catalog.brand == wanted.brand
        if wanted.colour is not None:
            kept &= catalog.colour == wanted.colour
        return kept

    def recall(self, question: Question, answer: Sequence[str]) -> float:
        """The share of the ten best products that an answer has. Of equally good ones any will do."""
        scores, kept = self._scores[question.row], self.kept(question.wanted)
        wanted = min(WANTED_PRODUCTS, int(kept.sum()))
        if not wanted:
            return 1.0 if not answer else 0.0
        tenth = np.partition(scores[kept], -wanted)[-wanted]
        found = {number_of(name) for name in answer[:WANTED_PRODUCTS]}
        right = [number for number in found if kept[number] and scores[number] >= tenth - SAME_SCORE]
        return len(right) / wanted
