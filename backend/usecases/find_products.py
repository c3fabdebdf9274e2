"""A vector and words -> products, best first, as deep as is asked: whoever reads on gets the same order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from backend.domain.filters import AnyOf, Filter
from backend.domain.fusion import DEPTHS, Found, Terms, appended, fused, settled
from backend.domain.picture import Vector
from backend.domain.query import Match
from backend.ports import VectorSearch

DEEPEST = 16_000
"""Products a search goes through at most for its page during a mass delete: then the page is short, but not wrong."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which products may be found."""

    merchant: str
    filter: Filter
    exclude: Sequence[str]

    def among(self, product_ids: Sequence[str]) -> "Scope":
        """Those of these products."""
        within = AnyOf("product_id", tuple(product_ids))
        return replace(self, filter=replace(self.filter, must=(*self.filter.must, within)))


@dataclass(frozen=True)
class FindProducts:
    """Lists that continue each other, the first as short as it may be."""

    vectors: VectorSearch
    scope: Scope
    vector: Vector

    def by_looks(self, first: int, least: float = -1.0) -> Iterator[list[Found]]:
        """By the vector alone: `first` products, then ever more. None follow once one scores below `least`."""
        limit, had = first, 0
        while True:
            found = self._nearest(self.scope, limit)
            yield [Found(match, 0.0) for match in found[had:]]
            if len(found) < limit or limit >= DEEPEST or found[-1].score < least:
                return
            had, limit = len(found), limit * 4

    def by_both(self, terms: Terms, text_share: float, *, looks: bool = True) -> Iterator[list[Found]]:
        """By words too; `looks` False: only products that have one of the words.

        From each depth's best of both sides, each of them with both scores. Depths are fixed: the order does not depend
        on how long the page is.
        """
        return appended(self._tiers(terms, text_share, looks=looks))

    def _tiers(self, terms: Terms, text_share: float, *, looks: bool) -> Iterator[list[Found]]:
        matches: dict[str, Match] = {}  # of all depths: what waited for this one is in it, whatever this one lists
        for depth in DEPTHS:
            seen = self._nearest(self.scope, depth) if looks else []
            said = self._worded(self.scope, terms, depth)
            matches |= {match.product_id: match for match in seen}
            scores = dict(said)
            if missing := [product_id for product_id in scores if product_id not in matches]:
                matches |= {it.product_id: it for it in self._nearest(self.scope.among(missing), len(missing))}
            # A list that ended holds every product with a word; one that is full may have left out some that were seen.
            if len(said) == depth and (unsaid := [it for it in matches if it not in scores]):
                scores |= dict(self._worded(self.scope.among(unsaid), terms, len(unsaid)))
            whole = terms.whole
            found = [Found(match, scores.get(product_id, 0.0) / whole) for product_id, match in matches.items()]
            ranked = fused(found, text_share)
            if depth == DEPTHS[-1] or (len(seen) < depth and len(said) < depth):
                yield ranked
                return
            yield settled(
                ranked,
                text_share,
                cosine=seen[-1].score if len(seen) == depth else max(it.score for it in matches.values()),
                coverage=said[-1][1] / whole if len(said) == depth else 0.0,
                count=depth,
            )

    def _nearest(self, scope: Scope, limit: int) -> list[Match]:
        return self.vectors.nearest(scope.merchant, self.vector, scope.filter, limit=limit, exclude=scope.exclude)

    def _worded(self, scope: Scope, terms: Terms, limit: int) -> list[tuple[str, float]]:
        found = self.vectors.worded(scope.merchant, list(terms), scope.filter, limit=limit, exclude=scope.exclude)
        return [(match.product_id, match.score) for match in found]
