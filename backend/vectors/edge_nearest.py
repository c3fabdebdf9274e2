"""One search of an embedded index for the products nearest to a vector, at every depth it comes to."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import qdrant_edge

from backend.domain.filters import Filter
from backend.domain.payload import Payload
from backend.domain.picture import Vector
from backend.domain.query import Match
from backend.vectors.deepening import GRAPH_TIERS, TIERS, Hit, best_products, matches_of
from backend.vectors.edge_filters import EdgeDialect
from backend.vectors.edge_shard import parameters
from backend.vectors.filters import in_dialect, of_merchant, without
from backend.vectors.graph_walk import DENSE, Way, lies_anywhere, walk_width, way_of
from backend.vectors.open_shard import OpenShard
from backend.vectors.payload import VECTOR_NAME, query_vector


class Shares:
    """How many points there are, and about how many of them are a merchant's; asked again only after a write."""

    def __init__(self, shard: OpenShard) -> None:
        self._shard = shard
        self._counted: tuple[int, int, dict[str, int]] = (-1, 0, {})

    def of(self, merchant: str) -> tuple[int, int]:
        """Those of the merchant, of all."""
        revision = self._shard.revision  # before it is counted: what is written meanwhile makes another
        counted, points, theirs = self._counted
        if counted != revision:
            points, theirs = self._shard.size(), {}
            self._counted = revision, points, theirs
        if merchant not in theirs:
            theirs[merchant] = about(self._shard, in_dialect(of_merchant(merchant, Filter()), EdgeDialect()))
        return theirs[merchant], points


class _Points:
    """The engine's points as `Hits`: an id is made when it is read, in 2 microseconds, and of 64 some 30 are."""

    def __init__(self, points: Sequence[Any]) -> None:
        self._points = points

    def __len__(self) -> int:
        return len(self._points)

    def __iter__(self) -> Iterator[Hit]:
        return (Hit(point.id, point.score) for point in self._points)

    def __getitem__(self, place: int) -> Hit:
        point = self._points[place]
        return Hit(point.id, point.score)


class EdgeNearest:
    """Begun with what is searched for; `matches` finds it.

    Where all points are one merchant's, as in most embedded installations, the filter does not name the merchant: the
    engine checks every condition for every point it looks at, and this one took a third of the time of a search (half
    of it beside another condition). What is found says whose it is, and one point of anybody else makes the search
    begin anew with the merchant in its filter. So nobody ever sees another's product, whatever the estimate said.
    """

    def __init__(self, shard: OpenShard, shares: Shares, merchant: str, wanted: Filter, exclude: Sequence[str]) -> None:
        self._shard = shard
        self._merchant = merchant
        self._strict = of_merchant(merchant, wanted, exclude)
        theirs, self._points = shares.of(merchant)
        alone = theirs >= self._points  # then there is no tombstone either
        self._wanted = without(wanted, exclude) if alone else self._strict
        # A merchant's pictures may be like each other and like nobody else's.
        self._anywhere = theirs >= DENSE * self._points and lies_anywhere(wanted)

    def matches(self, vector: Vector, limit: int, *, exact: bool) -> list[Match]:
        """The `limit` best products, each by its best point. `exact`: by whole vectors, whatever that takes."""
        hits, payloads = self._found(vector, limit, exact=exact)
        if any(payload.get("merchant") != self._merchant for payload in payloads.values() if payload):
            self._wanted = self._strict
            hits, payloads = self._found(vector, limit, exact=exact)
        return matches_of(hits, payloads)

    def _found(self, vector: Vector, limit: int, *, exact: bool) -> tuple[list[Hit], Mapping[UUID, Payload | None]]:
        """Under the filter as it is now; with the payloads by point id."""
        condition = in_dialect(self._wanted, EdgeDialect())
        # As a list: of an array each number becomes an object first, which takes twice as long.
        numbers = query_vector(vector, self._shard.space.dimension).tolist()
        query = qdrant_edge.Query.Nearest(numbers, using=VECTOR_NAME)
        way = Way.WHOLE if exact else self._way(condition)
        width = walk_width(points=self._points, scan_points=self._shard.limits.growth.scan_points)

        def fetch(number: int, candidates: int) -> _Points:
            request = qdrant_edge.QueryRequest(
                query=query,
                limit=number,
                filter=condition,
                params=parameters(way, number, candidates, width),
            )
            return _Points(self._shard.ask("query", request))

        hits = best_products(fetch, limit, GRAPH_TIERS if self._shard.graph else TIERS)
        records = self._shard.ask("retrieve", [hit.point_id for hit in hits], True, False) if hits else []
        return hits, {record.id: record.payload for record in records}

    def _way(self, condition: qdrant_edge.Filter) -> Way:
        if not self._shard.graph:
            return Way.WALK  # of which there is none: all is compared, by codes
        scan_points = self._shard.limits.growth.scan_points
        kept = self._points if self._wanted == Filter() else about(self._shard, condition)
        return way_of(kept=kept, points=self._points, scan_points=scan_points, anywhere=self._anywhere)


def about(shard: OpenShard, condition: qdrant_edge.Filter) -> int:
    """How many points satisfy it, estimated in 0.05 ms."""
    counted: int = shard.ask("count", qdrant_edge.CountRequest(filter=condition, exact=False))
    return counted
