"""What an embedded index is asked: the reading half of `EdgeStore`."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import qdrant_edge

from backend.domain.filters import Filter
from backend.domain.picture import Vector
from backend.domain.query import Counted, Match, WordMatch
from backend.domain.words import WordField
from backend.ports import Point
from backend.vectors.deepening import in_order, most_frequent
from backend.vectors.edge_filters import EdgeDialect
from backend.vectors.edge_nearest import EdgeNearest, Shares
from backend.vectors.filters import buried, in_dialect, leading, of_merchant
from backend.vectors.open_shard import OpenShard
from backend.vectors.payload import VECTOR_NAME, facts_of
from backend.vectors.versions import BURIED_AT

SCANNED_POINTS = 256
"""Points read at once by a walk over all of them."""


EVERY_VALUE = 1_000_000
"""Values of one facet that are read. Asked for exact counts, the engine counts value by value: 44 ms for 1,000 brands
of 20,000 products, and 11 s for the 200,000 terms of attributes where each has ten codes of its own, while the whole
process stands still. Else each of its segments counts its points once (2 ms, and 1 s) and gives the most frequent:
exact, as long as those are all. Beyond so many values, those that a segment has least of are not counted there. The
bound itself costs nothing: what is found takes 30 MB for 200,000 terms while they are sorted."""


class EdgeSearch:
    """See `backend.ports.VectorSearch`."""

    def __init__(self, shard: OpenShard) -> None:
        self._shard = shard
        self._shares = Shares(shard)

    def nearest(
        self,
        merchant: str,
        vector: Vector,
        wanted: Filter,
        *,
        limit: int,
        exclude: Sequence[str] = (),
        exact: bool = False,
    ) -> list[Match]:
        """The `limit` best products of a merchant that satisfy the filter. See the port."""
        return EdgeNearest(self._shard, self._shares, merchant, wanted, exclude).matches(vector, limit, exact=exact)

    def worded(
        self,
        merchant: str,
        terms: Sequence[str],
        wanted: Filter,
        *,
        limit: int,
        exclude: Sequence[str] = (),
        field: WordField = WordField.WORDS,
    ) -> list[WordMatch]:
        """The `limit` best products with any of the terms, by the engine's BM25. See the port."""
        if limit < 1 or not terms:
            return []
        request = qdrant_edge.QueryRequest(
            query=qdrant_edge.TextQuery(field.value, " ".join(terms)),
            limit=limit,
            filter=in_dialect(of_merchant(merchant, wanted, exclude), EdgeDialect()),
            with_payload=["product_id"],
        )
        found = self._shard.ask("query", request)
        return in_order([WordMatch(point.payload["product_id"], point.score) for point in found])

    def facet(
        self, merchant: str, field: str, wanted: Filter, *, limit: int, exclude: Sequence[str] = ()
    ) -> list[Counted]:
        """Products a value, exactly up to `EVERY_VALUE` values; the `limit` most frequent."""
        if limit < 1:
            return []
        condition = in_dialect(leading(merchant, wanted, exclude), EdgeDialect())
        request = qdrant_edge.FacetRequest(key=field, limit=EVERY_VALUE, filter=condition, exact=False)
        hits = self._shard.ask("facet", request).hits
        return most_frequent(Counted(hit.value, hit.count) for hit in hits)[:limit]

    def count_products(self, merchant: str, wanted: Filter, *, exclude: Sequence[str] = ()) -> int:
        """How many products satisfy the filter, exactly."""
        return self._count(leading(merchant, wanted, exclude))

    def extremes(
        self, merchant: str, field: str, wanted: Filter, *, exclude: Sequence[str] = ()
    ) -> tuple[float, float] | None:
        """The least and the greatest of a number field; None when no product has one."""
        condition = in_dialect(leading(merchant, wanted, exclude), EdgeDialect())
        ends = []
        for direction in (qdrant_edge.Direction.Asc, qdrant_edge.Direction.Desc):
            order = qdrant_edge.OrderBy(field, direction)
            request = qdrant_edge.ScrollRequest(
                limit=1, filter=condition, order_by=order, with_payload=[field], with_vector=False
            )
            records, _ = self._shard.ask("scroll", request)
            ends += [float(record.payload[field]) for record in records]
        return (ends[0], ends[1]) if len(ends) == 2 else None  # noqa: PLR2004 - one end a direction

    def sample(self, number: int, merchant: str | None = None) -> list[Point]:
        """Up to `number` points at random."""
        if number < 1:
            return []
        wanted = Filter(must_not=(buried(),)) if merchant is None else of_merchant(merchant, Filter())
        request = qdrant_edge.QueryRequest(
            query=qdrant_edge.Sample.Random,
            limit=number,
            filter=in_dialect(wanted, EdgeDialect()),
            with_payload=True,
            with_vector=[VECTOR_NAME],
        )
        return [
            Point(str(point.id), vector_of(point), facts_of(point.payload))
            for point in self._shard.ask("query", request)
        ]

    def scan(self) -> Iterator[Point]:
        """Every point, in the order of their ids. Each page stops all threads: for a move, when nobody is served."""
        for record in self._scrolled(None, None, vectors=True, page=SCANNED_POINTS):
            if BURIED_AT not in record.payload:
                yield Point(str(record.id), vector_of(record), dict(record.payload))

    def _scrolled(self, wanted: Filter | None, facts: list[str] | None, *, vectors: bool, page: int) -> Iterator[Any]:
        """All that satisfies a filter, in the order of their ids, so many at once. `facts`: which; None: all."""
        condition = None if wanted is None else in_dialect(wanted, EdgeDialect())
        after = None
        while True:
            request = qdrant_edge.ScrollRequest(
                offset=after,
                limit=page,
                filter=condition,
                with_payload=True if facts is None else facts,
                with_vector=[VECTOR_NAME] if vectors else False,
            )
            records, after = self._shard.ask("scroll", request)
            yield from records
            if after is None:
                return

    def _count(self, wanted: Filter) -> int:
        request = qdrant_edge.CountRequest(filter=in_dialect(wanted, EdgeDialect()), exact=True)
        counted: int = self._shard.ask("count", request)
        return counted


def vector_of(record: Any) -> Vector:
    """(dimension,) float32 of a point read with its vector."""
    return np.asarray(record.vector[VECTOR_NAME], dtype=np.float32)
