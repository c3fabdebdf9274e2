"""Counts of products by their facts, over all that a filter admits or over given ones."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from backend.domain.facets import (
    ATTRIBUTE,
    FIELDS,
    MAX_TERMS,
    MAX_VALUES,
    PRICE,
    TERMS,
    counted_in,
    price_edges,
    prices_in,
    shown,
    terms_of,
)
from backend.domain.filters import AnyOf, Between, Condition, Filter
from backend.domain.query import Counted, Facet, Match, PriceRange
from backend.ports import VectorSearch
from backend.usecases.find_products import Scope


def facets_over_filter(vectors: VectorSearch, scope: Scope, names: Sequence[str], currency: str) -> dict[str, Facet]:
    """Facet -> exact counts, by the index. The terms of attributes are counted once for all facets of attributes."""
    terms: list[Counted] = []
    if any(name.startswith(ATTRIBUTE) for name in names):
        terms = _counted(vectors, scope, TERMS, MAX_TERMS)
    found: dict[str, Facet] = {}
    for name in names:
        if name == PRICE:
            found[name] = _prices(vectors, scope, currency)
        elif name.startswith(ATTRIBUTE):
            found[name] = terms_of(name.removeprefix(ATTRIBUTE), terms)
        else:
            # one more than are shown: an empty text may be among them
            found[name] = shown(name, _counted(vectors, scope, FIELDS[name], MAX_VALUES + 1))
    return found


def facets_over_matches(matches: Sequence[Match], names: Sequence[str], currency: str) -> dict[str, Facet]:
    """Facet -> counts of these products."""
    payloads = [match.payload for match in matches]
    return {name: prices_in(payloads, currency) if name == PRICE else counted_in(name, payloads) for name in names}


def _counted(vectors: VectorSearch, scope: Scope, field: str, limit: int) -> list[Counted]:
    return vectors.facet(scope.merchant, field, scope.filter, limit=limit, exclude=scope.exclude)


def _prices(vectors: VectorSearch, scope: Scope, currency: str) -> list[PriceRange]:
    priced = _also(scope.filter, AnyOf("currency", (currency,)))
    ends = vectors.extremes(scope.merchant, PRICE, priced, exclude=scope.exclude)
    if ends is None:
        return []
    edges = price_edges(*ends)
    return [
        PriceRange(low, high, vectors.count_products(scope.merchant, _also(priced, within), exclude=scope.exclude))
        for low, high in pairwise(edges)
        for within in [Between(PRICE, gte=low, lte=high) if high == edges[-1] else Between(PRICE, gte=low, lt=high)]
    ]


def _also(wanted: Filter, condition: Condition) -> Filter:
    return replace(wanted, must=(*wanted.must, condition))
