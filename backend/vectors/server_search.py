"""What an index on a Qdrant server is asked: the reading half of `ServerStore`."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import numpy as np
from qdrant_client import models

from backend.domain.filters import Filter
from backend.domain.picture import Vector
from backend.domain.query import Counted, Match, WordMatch
from backend.domain.words import WordField
from backend.ports import Point, Space
from backend.vectors.deepening import GRAPH_TIERS, Hit, best_products, in_order, matches_of, most_frequent
from backend.vectors.filters import buried, in_dialect, leading, of_merchant
from backend.vectors.payload import VECTOR_NAME, facts_of, query_vector
from backend.vectors.server import Server
from backend.vectors.server_filters import ServerDialect
from backend.vectors.versions import BURIED_AT

SCANNED_POINTS = 256
"""Points read at once by a walk over all of them: 1.5 MB of JSON at 512 dimensions."""
NARROWEST_WALK = 512
"""How wide the graph is walked at least: with the filters measured in docs/servers.md it missed nothing."""


class ServerSearch:
    """See `backend.ports.VectorSearch`."""

    def __init__(self, server: Server, collection: str, space: Space) -> None:
        self._server = server
        self._collection = collection
        self._space = space

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
        query = query_vector(vector, self._space.dimension).tolist()
        condition = in_dialect(of_merchant(merchant, wanted, exclude), ServerDialect())

        def fetch(number: int, candidates: int) -> list[Hit]:
            response = self._server.ask(
                lambda client: client.query_points(
                    self._collection,
                    query=query,
                    using=VECTOR_NAME,
                    limit=number,
                    query_filter=condition,
                    search_params=exactly() if exact else rescored(number, candidates),
                    with_payload=False,
                    consistency=self._server.read_from,
                )
            )
            return [Hit(UUID(str(point.id)), point.score) for point in response.points]

        hits = best_products(fetch, limit, GRAPH_TIERS)
        if not hits:
            return []
        records = self._server.ask(
            lambda client: client.retrieve(
                self._collection,
                [str(hit.point_id) for hit in hits],
                with_payload=True,
                consistency=self._server.read_from,
            )
        )
        return matches_of(hits, {UUID(str(record.id)): record.payload for record in records})

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
        condition = in_dialect(of_merchant(merchant, wanted, exclude), ServerDialect())
        response = self._server.ask(
            lambda client: client.query_points(
                self._collection,
                query=models.TextQuery(text=" ".join(terms)),
                using=field.value,
                limit=limit,
                query_filter=condition,
                with_payload=["product_id"],
                consistency=self._server.read_from,
            )
        )
        return in_order(
            WordMatch(point.payload["product_id"], point.score) for point in response.points if point.payload
        )

    def facet(
        self, merchant: str, field: str, wanted: Filter, *, limit: int, exclude: Sequence[str] = ()
    ) -> list[Counted]:
        """Products a value, exactly; the `limit` most frequent."""
        if limit < 1:
            return []
        condition = in_dialect(leading(merchant, wanted, exclude), ServerDialect())
        response = self._server.ask(
            lambda client: client.facet(
                self._collection,
                field,
                facet_filter=condition,
                limit=limit,
                exact=True,
                consistency=self._server.read_from,
            )
        )
        return most_frequent(Counted(hit.value, hit.count) for hit in response.hits)

    def count_products(self, merchant: str, wanted: Filter, *, exclude: Sequence[str] = ()) -> int:
        """How many products satisfy the filter, exactly."""
        return self._count(leading(merchant, wanted, exclude))

    def extremes(
        self, merchant: str, field: str, wanted: Filter, *, exclude: Sequence[str] = ()
    ) -> tuple[float, float] | None:
        """The least and the greatest of a number field; None when no product has one."""
        condition = in_dialect(leading(merchant, wanted, exclude), ServerDialect())

        def end(direction: models.Direction) -> list[float]:
            records, _ = self._server.ask(
                lambda client: client.scroll(
                    self._collection,
                    scroll_filter=condition,
                    limit=1,
                    order_by=models.OrderBy(key=field, direction=direction),
                    with_payload=[field],
                    consistency=self._server.read_from,
                )
            )
            return [float(record.payload[field]) for record in records if record.payload]

        least, greatest = end(models.Direction.ASC), end(models.Direction.DESC)
        return (least[0], greatest[0]) if least and greatest else None

    def sample(self, number: int, merchant: str | None = None) -> list[Point]:
        """Up to `number` points at random."""
        if number < 1:
            return []
        wanted = Filter(must_not=(buried(),)) if merchant is None else of_merchant(merchant, Filter())
        condition = in_dialect(wanted, ServerDialect())
        response = self._server.ask(
            lambda client: client.query_points(
                self._collection,
                query=models.SampleQuery(sample=models.Sample.RANDOM),
                limit=number,
                query_filter=condition,
                with_payload=True,
                with_vectors=[VECTOR_NAME],
            )
        )
        return [Point(str(point.id), vector_of(point), facts_of(point.payload or {})) for point in response.points]

    def scan(self) -> Iterator[Point]:
        """Every point, in the order of their ids."""
        for record in self._scrolled(None, None, vectors=True, page=SCANNED_POINTS):
            if record.payload is not None and BURIED_AT not in record.payload:
                yield Point(str(record.id), vector_of(record), record.payload)

    def _scrolled(
        self, wanted: Filter | None, facts: list[str] | None, *, vectors: bool, page: int
    ) -> Iterator[models.Record]:
        """All that satisfies a filter, in the order of their ids, so many a request. `facts`: which; None: all."""
        condition = None if wanted is None else in_dialect(wanted, ServerDialect())

        def read(after: models.ExtendedPointId | None) -> tuple[list[models.Record], models.ExtendedPointId | None]:
            return self._server.ask(
                lambda client: client.scroll(
                    self._collection,
                    scroll_filter=condition,
                    limit=page,
                    offset=after,
                    with_payload=True if facts is None else facts,
                    with_vectors=[VECTOR_NAME] if vectors else False,
                    consistency=self._server.read_from,
                )
            )

        after: models.ExtendedPointId | None = None
        while True:
            records, after = read(after)
            yield from records
            if after is None:
                return

    def _count(self, wanted: Filter) -> int:
        condition = in_dialect(wanted, ServerDialect())
        return self._server.ask(lambda client: client.count(self._collection, count_filter=condition, exact=True)).count


def rescored(number: int, candidates: int) -> models.SearchParams:
    """Search parameters: so many candidates by their codes, of which the `number` best by their whole vectors."""
    return models.SearchParams(
        # As long as it is not below the limit, what is found depends on it and the candidates alone.
        hnsw_ef=max(NARROWEST_WALK, candidates),
        # Asked for, because left to itself the server rescores some kinds of codes and others not.
        quantization=models.QuantizationSearchParams(rescore=True, oversampling=candidates / number),
    )


def exactly() -> models.SearchParams:
    """Search parameters: every point by its whole vector."""
    return models.SearchParams(exact=True, quantization=models.QuantizationSearchParams(ignore=True))


def vector_of(record: Any) -> Vector:
    """(dimension,) float32 of a point read with its vector."""
    # Any: the client's types allow for vectors of every kind, and for none where none were asked for.
    return np.asarray(record.vector[VECTOR_NAME], dtype=np.float32)
