"""Products found by what they look like and products found by their words, in one order.

The engines can fuse too, but what they fuse is points, before products are grouped: a product of many pictures would
take many places of a list and push others off its end. Here both sides are products, each with both scores, so that a
product's place depends on nothing but what it is and what was found beside it.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from backend.domain.query import Match
from backend.domain.words import run_words

WORDS_SHARE = 0.7
"""How much of a place is decided by words in a search by words alone; the rest by the picture. With a half, a product
of the right kind comes before one of the right brand and kind (`make bench-words`)."""

UNKNOWN_WEIGHT = 10.0
"""What a word weighs that no product has: about as much as one that a single product of 30,000 has (BM25's idf)."""

DEPTHS = (32, 256, 1_000)
"""Products that are taken from each side: for a page of 24, for most of what people leaf through, and for all a search
may reach. 32 because the index reads four pictures a product, in powers of two: one more would cost twice as much."""


class Found(NamedTuple):
    """A product with both scores. `coverage`: how much of the words' weight it has, 0 to about 1."""

    match: Match
    coverage: float


@dataclass(frozen=True, slots=True)
class Terms:
    """The words a search is for, and what each weighs: the best any product scores for it alone.

    `unknown`: how many words beside these nobody's product has. `runs`: the words each run of the text is made of.
    """

    weights: Mapping[str, float]
    unknown: int = 0
    runs: Sequence[Sequence[str]] = ()

    @property
    def whole(self) -> float:
        """What a product scores that has every word."""
        return sum(self.weights.values()) + self.unknown * UNKNOWN_WEIGHT

    def __iter__(self) -> Iterator[str]:
        return iter(self.weights)

    def all_in(self, words: Collection[str]) -> bool:
        """Whether a product with these words has each run, apart (`ab 12`) or together (`ab12`)."""
        return not self.unknown and all(
            all(part in words for part in parts) or run_words(parts)[-1] in words for parts in self.runs
        )


def fused(found: Sequence[Found], text_share: float) -> list[Found]:
    """Best first, ties by product id: a weighted sum of the cosine, between the least and the greatest of these, and of
    how much of the words a product has.

    Ranks alone (RRF, Cormack et al. 2009) would not do: hundreds of products tie in BM25 when a word is a class or a
    brand, and where they stand among each other would count for as much as whether they have the word at all.
    """
    place = _placing(found, text_share)
    return sorted(found, key=lambda item: (-place(item.match.score, item.coverage), item.match.product_id))


def settled(ranked: Sequence[Found], text_share: float, *, cosine: float, coverage: float, count: int) -> list[Found]:
    """Of a fused list the beginning that what was not looked at can hardly come into; the rest waits for a deeper list.

    `cosine`, `coverage`: the most a product has that is not in the list. Whatever is placed below these would have
    products with the word behind it: where 200 have a brand, the likest without it would stand between the first 32 of
    them and the others. The first `count` never wait, so that a page costs no more than its depth: products that tie in
    their words may be listed in any order, and waiting for them all would be reading them all.
    """
    place = _placing(ranked, text_share)
    beyond = place(cosine, coverage)
    certain = sum(place(item.match.score, item.coverage) >= beyond for item in ranked)
    return list(ranked[: max(count, certain)])


def _placing(found: Sequence[Found], text_share: float) -> Callable[[float, float], float]:
    """(cosine, coverage) -> what a product among these is placed by."""
    cosines = [item.match.score for item in found] or [0.0]
    least, span = min(cosines), max(cosines) - min(cosines)
    words = WORDS_SHARE * text_share

    def place(cosine: float, coverage: float) -> float:
        looks = (cosine - least) / span if span else 0.0
        return (1.0 - words) * looks + words * coverage

    return place


def appended(tiers: Iterable[Sequence[Found]]) -> Iterator[list[Found]]:
    """Of each deeper list what the shallower ones had not, so that a deeper page begins with the shallower ones."""
    seen: set[str] = set()
    for tier in tiers:
        fresh = [item for item in tier if item.match.product_id not in seen]
        seen.update(item.match.product_id for item in fresh)
        yield fresh
