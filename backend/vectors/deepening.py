"""From the best points to the best products, in an order that does not depend on how many were asked for.

An engine finds points, several of one product, and finds them in two steps: candidates by a rough score, then the
best of these by the true one. A greater limit admits more candidates, and a candidate the smaller limit missed would
move everything below it: page two would repeat or skip a product. So the candidates are taken from a few fixed depths,
and a page reads as much of its depth's list as it needs. Two depths are joined by appending what the deeper one adds,
so that a deeper page begins with the shallower one by construction, whatever the rough score missed.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import count as counting
from itertools import groupby, takewhile
from typing import NamedTuple, Protocol
from uuid import UUID

from backend.domain.payload import Payload, product_part
from backend.domain.query import Counted, Match, WordMatch
from backend.vectors.payload import facts_of


class Tier(NamedTuple):
    """One depth: how many products it answers for at most, and of how many candidates. Both are powers of two."""

    products: int
    candidates: int


TIERS = (Tier(128, 2_048), Tier(1_024, 16_384))
"""Where candidates are cheap: a page of 24 and one of 100 cost one query each, and the second depth covers the 1,000 a
search may reach. A product has up to 16 pictures, so that 16 candidates a product are enough products. Products have
fewer as a rule, so the last wanted one lies far above the edge of the candidates, where the rough score errs. Measured
on 50,000 pictures: 2,048 candidates cost 0.3 ms more than 288 (an oversampling of 3 for a page of 24)."""
GRAPH_TIERS = (Tier(32, 256), *TIERS)
"""The same where a graph is walked, which takes longer the wider it is. Each of its parts gives so many candidates:
with more of them, pages of up to 32 are no better. Where these are of too few products, the next depth adds."""
TIER_FACTOR = 8
"""Each depth beyond these answers for so many times more, of so many times the candidates."""
POINTS_PER_PRODUCT = 4
"""Points fetched per wanted product at first; doubled while they are pictures of too few products."""


class Hit(NamedTuple):
    """A point found, without its payload: of hundreds of points a few dozen become matches, and payloads take time."""

    point_id: UUID
    score: float


class Hits(Protocol):
    """Points found, best first. Mostly the first few are enough, so that the rest need not be made."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Hit]: ...

    def __getitem__(self, place: int, /) -> Hit: ...


Fetch = Callable[[int, int], Hits]
"""(number, candidates) -> the `number` best, of a set that depends on `candidates` alone."""


def best_products(fetch: Fetch, limit: int, tiers: Sequence[Tier] = TIERS) -> list[Hit]:
    """The best hit of each of the `limit` best products: by score, ties by the id of the point.

    Where more points tie than a depth has candidates (one placeholder for thousands of products), some of them come, in
    their order and the same for every limit: to have the first of them all, every one would have to be read.
    `tiers`: they rise, and are the same for every call on an index.
    """
    if limit < 1:
        return []
    found: dict[int, Hit] = {}
    number = 0
    for tier in _deeper(tiers):
        wanted = min(limit, tier.products)
        number = max(number, min(tier.candidates, _power_of_two(POINTS_PER_PRODUCT * wanted)))
        ranked, number, complete = _best_within(fetch, wanted, tier.candidates, number)
        for hit in ranked:
            found.setdefault(product_part(hit.point_id), hit)
        if complete or len(found) >= limit:
            break
    return list(found.values())[:limit]


def matches_of(hits: Sequence[Hit], payloads: Mapping[UUID, Payload | None]) -> list[Match]:
    """The hits with their payloads, by point id. A point removed or buried since it was found is left out."""
    return [
        Match(str(payload["product_id"]), hit.score, str(payload["image"]), facts_of(payload))
        for hit in hits
        if (payload := payloads.get(hit.point_id)) and "image" in payload  # a tombstone shows no picture
    ]


def in_order(found: Iterable[WordMatch]) -> list[WordMatch]:
    """Best first, ties by product id."""
    return sorted(found, key=lambda match: (-match.score, match.product_id))


def most_frequent(found: Iterable[Counted]) -> list[Counted]:
    """Most products first, ties by value."""
    return sorted(found, key=lambda counted: (-counted.products, counted.value))


def _deeper(tiers: Sequence[Tier]) -> Iterator[Tier]:
    yield from tiers
    for step in counting(1):
        yield Tier(*(number * TIER_FACTOR**step for number in tiers[-1]))


def _best_within(fetch: Fetch, wanted: int, candidates: int, number: int) -> tuple[list[Hit], int, bool]:
    """The first `wanted` products of one depth's list (fewer when it ends), from the best `number` points on, doubled
    until they are enough; how many were read at last; and whether there is nothing beyond.

    `number` is a power of two, as `candidates` is: their quotient (the engine's oversampling) is then a double without
    rounding, and the engine's candidates are exactly as many at every number.
    """
    edge = math.inf
    while True:
        hits = fetch(number, candidates)
        if len(hits) < number:
            return _ranked(hits, math.inf), number, True
        if number >= candidates:
            return _ranked(hits, wanted), number, False
        # Points that tie with the last one may have been cut off beside it, so what ties is not decided yet.
        last = hits[-1].score
        decided = _ranked(_above(last, hits), wanted)
        if len(decided) >= wanted:
            return decided, number, False
        # Half of these tie: they are a placeholder's, and where they end is not found by doubling.
        number = candidates if last == edge else 2 * number
        edge = last


def _above(score: float, hits: Hits) -> Iterator[Hit]:
    return takewhile(lambda hit: hit.score > score, hits)


def _ranked(hits: Iterable[Hit], wanted: float) -> list[Hit]:
    """The first `wanted` products; no more hits are read than that takes."""
    best: dict[int, Hit] = {}
    for _, tied in groupby(hits, key=lambda hit: hit.score):
        # By the number of an id: UUIDs compare themselves in Python, ten times as slowly, and in the same order.
        for hit in sorted(tied, key=lambda hit: hit.point_id.int):
            if len(best) >= wanted:
                return list(best.values())
            best.setdefault(product_part(hit.point_id), hit)
    return list(best.values())


def _power_of_two(number: int) -> int:
    return 1 << (number - 1).bit_length()
