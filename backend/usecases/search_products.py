"""Find products by picture, words, both, or another product, under a filter."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from backend.domain.fusion import Found, Terms
from backend.domain.product import ProductKey
from backend.domain.query import AUTO, Facet, FacetsOver, Match, Query, Results, Sort, Words
from backend.domain.ranking import RELEVANT, VOTERS, WINDOW, diversified, sorted_by, vote_of, without_duplicates
from backend.domain.words import payload_words
from backend.ports import Catalog, Space, VectorStore
from backend.usecases.count_facets import facets_over_filter, facets_over_matches
from backend.usecases.embed_query import EmbedQuery
from backend.usecases.find_products import FindProducts, Scope
from backend.usecases.measure_scores import MeasureScores
from backend.usecases.place_query import PlaceQuery
from backend.usecases.understand_words import Understood, understand_words

_MAX_EXCLUDED = 1_000
"""Deletes the index is still to follow that are left out by the index itself; more than that is a mass delete, and what
it finds is looked up in the catalog."""

_ALL = 2**31 - 1
"""Deletes that facets over the filter leave out: a count looks nothing up, so every one is named to the index."""

NO_TERMS = Terms({})
LEAST = -1.0
"""The least a cosine can be: everything is relevant."""


class _Stopwatch:
    """Milliseconds per stage, for the answer's `took_ms`."""

    def __init__(self) -> None:
        self._start = self._last = time.perf_counter()
        self.took_ms: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.took_ms[stage] = round(self.took_ms.get(stage, 0.0) + (now - self._last) * 1e3, 2)
        self._last = now

    def total(self) -> dict[str, float]:
        self.took_ms["total"] = round((self._last - self._start) * 1e3, 2)
        return self.took_ms


@dataclass(frozen=True)
class SearchProducts:
    """The search way. Nothing is done that was not asked for: a search by picture is one question to the index."""

    catalog: Catalog
    embed_query: EmbedQuery
    vectors: VectorStore
    measure_scores: MeasureScores

    @property
    def space(self) -> Space:
        """Of the one index this verb searches: whatever it answers is by that index's encoder."""
        return self.vectors.space

    def __call__(self, query: Query) -> Results:
        """A page. Raises `QueryMissing`, `UnreadableImage`, `ImageNotFound`, `ProductNotFound`, `Unavailable`."""
        watch = _Stopwatch()
        said = self._understood(query)
        watch.lap("search")
        deleted = self.catalog.deleted_but_indexed(query.merchant, _MAX_EXCLUDED)
        place = PlaceQuery(self.catalog, self.embed_query, self.vectors, deleted if _all_of(deleted) else None)
        vector = place(query, said.text or None, watch.lap)
        scope = _scope(query, deleted)
        least = self._least(query)
        lists = _lists(query, FindProducts(self.vectors, scope, vector), said.terms, least)
        best = self._best(query, scope, (_admitted(found, said.terms, least) for found in lists))
        ordered, suppressed = self._thinned(query, sorted_by(best, query.sort, query.currency))
        facets = self._facets(query, scope, best)
        watch.lap("search")
        return Results(
            matches=tuple(ordered[query.offset : query.offset + query.limit]),
            took_ms=watch.total(),
            relevant=len(best) if _needs_all(query) else None,
            min_score=None if query.min_score is None else least,
            no_match=None if query.min_score is None else not best,
            facets=facets,
            category=vote_of(best) if query.predict_category else None,
            suppressed=suppressed,
            corrected=said.corrected,
        )

    def _understood(self, query: Query) -> Understood:
        if query.text is None or query.words is Words.OFF or not query.text_share:
            return Understood(query.text or "", NO_TERMS, {})
        return understand_words(self.vectors, self.catalog, query.merchant, query.text)

    def _least(self, query: Query) -> float:
        if query.min_score is None:
            return LEAST
        return self.measure_scores(query.text_share) if query.min_score == AUTO else float(query.min_score)

    def _best(self, query: Query, scope: Scope, lists: Iterable[Sequence[Match]]) -> list[Match]:
        """As many as the page, and what else was asked for, needs; none that is deleted, whatever the index holds."""
        best: list[Match] = []
        for found in lists:
            best += found if _all_of(scope.exclude) else self._live(query.merchant, found)
            if len(best) >= _depth(query):
                break
        return best[: _depth(query)]

    def _live(self, merchant: str, found: Sequence[Match]) -> list[Match]:
        records = self.catalog.products([ProductKey(merchant, match.product_id) for match in found])
        live = {record.product.key.product_id for record in records if not record.deleted}
        return [match for match in found if match.product_id in live]

    def _thinned(self, query: Query, ordered: list[Match]) -> tuple[list[Match], Mapping[str, tuple[str, ...]]]:
        """Without near duplicates, and unlike each other, in the first of them."""
        if query.collapse is None and not query.diversity:
            return ordered, {}
        window, rest = ordered[:WINDOW], ordered[WINDOW:]
        vectors = self.vectors.vectors_by_content([match.content_hash for match in window])
        suppressed: Mapping[str, tuple[str, ...]] = {}
        if query.collapse is not None:
            window, suppressed = without_duplicates(window, vectors, query.collapse)
        return [*diversified(window, vectors, query.diversity), *rest], suppressed

    def _facets(self, query: Query, scope: Scope, best: Sequence[Match]) -> Mapping[str, Facet] | None:
        if not query.facets:
            return None
        if query.facets_over is FacetsOver.MATCHES:
            return facets_over_matches(best, query.facets, query.currency)
        if not _all_of(scope.exclude):
            scope = _scope(query, self.catalog.deleted_but_indexed(query.merchant, _ALL))
        return facets_over_filter(self.vectors, scope, query.facets, query.currency)


def _all_of(deleted: Sequence[str]) -> bool:
    """Whether these are all the deletes the index is still to follow."""
    return len(deleted) < _MAX_EXCLUDED


def _scope(query: Query, deleted: Sequence[str]) -> Scope:
    exclude = deleted if query.product_id is None else [*deleted, query.product_id]
    return Scope(query.merchant, query.filter, exclude)


def _needs_all(query: Query) -> bool:
    """Whether the page is made from the whole relevant set."""
    return query.sort is not Sort.RELEVANCE or (bool(query.facets) and query.facets_over is FacetsOver.MATCHES)


def _depth(query: Query) -> int:
    """How many of the best products are needed."""
    page = query.offset + query.limit
    if _needs_all(query):
        return RELEVANT
    if query.collapse is not None:
        page += WINDOW  # so many may be left out of it
    if query.collapse is not None or query.diversity:
        page = max(page, WINDOW)
    return min(RELEVANT, max(page, VOTERS if query.predict_category else 0))


def _lists(query: Query, find: FindProducts, terms: Terms, least: float) -> Iterator[list[Found]]:
    if query.words is Words.ONLY:
        return find.by_both(terms, query.text_share, looks=False)
    if terms.weights:
        return find.by_both(terms, query.text_share)
    return find.by_looks(_depth(query), least)


def _admitted(found: Sequence[Found], terms: Terms, least: float) -> list[Match]:
    """Those that score enough, and those that have every word of the search: a code or a brand needs no likeness."""
    if least <= LEAST:
        return [item.match for item in found]
    return [item.match for item in found if item.match.score >= least or _has_all(item, terms)]


def _has_all(item: Found, terms: Terms) -> bool:
    return item.coverage > 0.0 and terms.all_in(payload_words(item.match.payload))
