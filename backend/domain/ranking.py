"""What is done with the best products once they are found: put in another order, thinned out, asked for their vote."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from backend.domain.facets import price_in
from backend.domain.picture import Vector
from backend.domain.query import Match, Sort, Vote

RELEVANT = 1_000
"""Products that are relevant at most: as deep as a search's pages go. A sort by price orders these and no others, for
of everything that a filter admits the cheapest is hardly ever what was searched for."""

WINDOW = 232
"""The best products that are compared with each other for near duplicates and for diversity: each costs the reading of
its picture's vector. With a page of 24 as many as a search by words reads in its second depth (256): a third one
takes far longer. Whatever comes after them stays as it is found."""

DUPLICATE = 0.97
"""The cosine from which two pictures count as one, unless a search names another. Nine in ten photographs that were
saved anew or cut by 2 % a side reach it, and the nearest other product of one in a thousand does (docs/search.md)."""

VOTERS = 20
"""Matches that vote for a category, each by one over the root of its place: the first says more than the tail."""


def sorted_by(matches: Sequence[Match], sort: Sort, currency: str) -> list[Match]:
    """The matches in another order. What has no price in the currency, or no date, stands last, as found."""
    match sort:
        case Sort.NEWEST:
            return sorted(matches, key=lambda match: _last_if_none(_date(match), -1.0))
        case Sort.PRICE_ASC:
            return sorted(matches, key=lambda match: _last_if_none(price_in(match.payload, currency), 1.0))
        case Sort.PRICE_DESC:
            return sorted(matches, key=lambda match: _last_if_none(price_in(match.payload, currency), -1.0))
    return list(matches)


def without_duplicates(
    matches: Sequence[Match], vectors: Mapping[str, Vector], threshold: float
) -> tuple[list[Match], dict[str, tuple[str, ...]]]:
    """The matches without those whose deciding picture is nearly that of one before; and product id -> those left out
    in its favour. `vectors` by content hash; a match without one is nobody's duplicate.
    """
    likeness = _likeness(matches, vectors)
    kept: list[int] = []
    suppressed: dict[str, tuple[str, ...]] = {}
    for place, match in enumerate(matches):
        favoured = next((first for first in kept if likeness[first, place] >= threshold), None)
        if favoured is None:
            kept.append(place)
        else:
            name = matches[favoured].product_id
            suppressed[name] = (*suppressed.get(name, ()), match.product_id)
    return [matches[place] for place in kept], suppressed


def diversified(matches: Sequence[Match], vectors: Mapping[str, Vector], diversity: float) -> list[Match]:
    """The matches so that each is good and unlike those before it (maximal marginal relevance, Carbonell and Goldstein
    1998). `diversity`: 0 leaves the order as it is, 1 looks at nothing but unlikeness.

    Relevance is the place among the matches and likeness lies between the least and the greatest of theirs: cosines of
    words with pictures and of pictures with each other are of different sizes.
    """
    count = len(matches)
    if count < 3 or diversity <= 0.0:  # noqa: PLR2004 - the first stays first, and one after it has no choice
        return list(matches)
    likeness = _likeness(matches, vectors)
    apart = likeness[~np.eye(count, dtype=bool)]
    least, span = float(apart.min()), float(apart.max() - apart.min()) or 1.0
    relevance = 1.0 - np.arange(count) / count
    nearest, left = np.full(count, -np.inf), np.ones(count, dtype=bool)
    chosen: list[int] = []
    while len(chosen) < count:
        likest = (nearest - least) / span if chosen else np.zeros(count)
        worth = np.where(left, (1.0 - diversity) * relevance - diversity * likest, -np.inf)
        place = int(np.argmax(worth)) if chosen else 0
        chosen.append(place)
        left[place] = False
        nearest = np.maximum(nearest, likeness[place])
    return [matches[place] for place in chosen]


def vote_of(matches: Sequence[Match]) -> Vote | None:
    """The category that most of the best are in; None when none of them has one."""
    votes: defaultdict[str, float] = defaultdict(float)
    for place, match in enumerate(matches[:VOTERS]):
        votes[str(match.payload.get("category") or "")] += 1.0 / math.sqrt(place + 1)
    whole = sum(votes.values())
    votes.pop("", None)
    if not votes:
        return None
    category, weight = max(votes.items(), key=lambda item: (item[1], item[0]))
    return Vote(category, weight / whole)


def _likeness(matches: Sequence[Match], vectors: Mapping[str, Vector]) -> NDArray[np.float32]:
    """(n, n) cosines of the deciding pictures; 0 where a vector is missing."""
    dimension = next((len(vector) for vector in vectors.values()), 1)
    missing = np.zeros(dimension, np.float32)
    stacked = np.array([vectors.get(match.content_hash, missing) for match in matches], np.float32)
    likeness: NDArray[np.float32] = stacked @ stacked.T
    return likeness


def _date(match: Match) -> float | None:
    date = match.payload.get("added_at")
    return float(date) if isinstance(date, int | float) else None


def _last_if_none(number: float | None, direction: float) -> float:
    return float("inf") if number is None else direction * number
