"""What a least score keeps and what it recognises: `python -m benchmarks.least_score` (part of `make bench-words`).

An index of one kind of goods is asked for what it has and for what it has not: the clothing catalog for clothing and
for guitars, chairs and mugs, the demo catalog without clothing and shoes for its own and for clothing. For each
quantile of the scores of strangers: the share of right products among the first ten that reach it, the share of
answerable queries with a match, and the share of unanswerable ones that get none. Strangers are pairs of products whose
categories differ from the first level on, and where these are few, as in the clothing catalog, of any two products.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from backend.domain.least_score import ANY_QUANTILE, QUANTILE, Drawn, strangers
from backend.domain.picture import Vectors
from backend.domain.product import Product
from backend.usecases.measure_scores import PICTURES, TITLES
from benchmarks.encoder_quality import CLASS_NAMES, PHRASINGS
from benchmarks.words_data import Shelf, clothing, demo, encoder

WORN = ("clothing", "shoes")
QUERIES = 300
NEAR = 10
QUANTILES = {"categories": (0.95, 0.98, QUANTILE, 0.995), "any": (0.9, ANY_QUANTILE, 0.95, 0.98)}


@dataclass(frozen=True)
class Side:
    """A catalog's pictures with their products, and the words that ask for what it has."""

    name: str
    products: Sequence[Product]
    vectors: Vectors
    owners: NDArray[np.int64]
    words: Vectors

    def drawn(self, places: NDArray[np.int64], vectors: Vectors, *, categories: bool) -> Drawn:
        chosen = [self.products[place] for place in places.tolist()]
        return Drawn(
            vectors,
            [it.key.merchant for it in chosen],
            [it.key.product_id for it in chosen],
            [it.category if categories else "" for it in chosen],
        )


def side(name: str, shelf: Shelf, words: Sequence[str], kept: Callable[[Product], bool] = lambda _: True) -> Side:
    pairs = [pair for pair in zip(shelf.products, shelf.vectors, strict=True) if kept(pair[0])]
    owners = np.repeat(np.arange(len(pairs)), [len(vectors) for _, vectors in pairs])
    stacked = np.concatenate([np.array(vectors, np.float32) for _, vectors in pairs])
    return Side(name, [product for product, _ in pairs], stacked, owners, encoder().embed_texts(list(words)))


def least_scores(of: Side, text_share: float, *, categories: bool) -> list[float]:
    """A least score for each quantile, from a sample as large as the system's."""
    random = np.random.default_rng(0)
    places = random.choice(len(of.vectors), min(PICTURES, len(of.vectors)), replace=False)
    pictures = of.drawn(of.owners[places], of.vectors[places], categories=categories)
    titled = of.owners[places[::-1][:TITLES]]
    titles = encoder().embed_texts([of.products[place].title for place in titled.tolist()])
    scores, _ = strangers(pictures, of.drawn(titled, titles, categories=categories), text_share, 0.0)
    return [float(it) for it in np.quantile(scores, QUANTILES["categories" if categories else "any"])]


def report(of: Side, other: Side, console: Console) -> None:
    random = np.random.default_rng(1)
    asked = random.choice(len(of.vectors), QUERIES, replace=False)
    scores = of.vectors[asked] @ of.vectors.T
    scores[of.owners[asked][:, None] == of.owners[None, :]] = -1.0  # not its own pictures
    best = np.argsort(-scores, axis=1)[:, :NEAR]
    categories = np.array([it.category for it in of.products])[of.owners]
    right = categories[best] == categories[asked][:, None]
    near = np.take_along_axis(scores, best, axis=1)
    strange = (other.vectors[random.choice(len(other.vectors), QUERIES)] @ of.vectors.T).max(axis=1)
    said, unsaid = (of.words @ of.vectors.T).max(axis=1), (other.words @ of.vectors.T).max(axis=1)
    table = Table(
        "strangers", "quantile", "picture: least", "right ones kept", "with a match", "no match seen",
        "words: least", "with a match", "no match seen", title=f"{of.name}, asked for itself and for {other.name}",
    )  # fmt: skip
    for name, quantiles in QUANTILES.items():
        pictures, words = (least_scores(of, share, categories=name == "categories") for share in (0.0, 1.0))
        for quantile, picture, word in zip(quantiles, pictures, words, strict=True):
            shares = (
                (near[right] >= picture).mean(), (near[:, 0] >= picture).mean(), (strange < picture).mean(),
            )  # fmt: skip
            worded = ((said >= word).mean(), (unsaid < word).mean())
            table.add_row(
                name, f"{quantile:g}", f"{picture:.2f}", *(f"{it:.2f}" for it in shares),
                f"{word:.2f}", *(f"{it:.2f}" for it in worded),
            )  # fmt: skip
    console.print(table)


def main() -> None:
    drawn, worn = demo(), clothing()
    leaves = sorted({it.category.rsplit("/", 1)[-1] for it in drawn.products if it.category.split("/")[0] not in WORN})
    clothes = side("clothing", worn, [*CLASS_NAMES, *PHRASINGS])
    goods = side("demo without clothing", drawn, leaves, lambda it: it.category.split("/")[0] not in WORN)
    console = Console(width=150)
    report(clothes, goods, console)
    report(goods, clothes, console)


if __name__ == "__main__":
    main()
