"""What an index on a Qdrant server is asked: the reading half of `ServerStore`."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from qdrant_client import QdrantClient, models

from backend import errors
from backend.domain.filters import Filter
from backend.domain.picture import Vector
from backend.domain.query import Counted, Match, WordMatch
from backend.domain.words import WordField
from backend.ports import Point, Space
from backend.vectors.deepening import Hit, best_products, in_order, matches_of, most_frequent
from backend.vectors.filters import buried, in_dialect, leading, of_merchant
from backend.vectors.payload import VECTOR_NAME, facts_of, query_vector
from backend.vectors.server_collection import server_asked
from backend.vectors.server_filters import ServerDialect


class ServerSearch:
    """See `backend.ports.VectorSearch`."""

    def __init__(self, client: QdrantClient, collection: str, space: Space) -> None:
        self._client = client
        self._collection = collection
        self._space = space
        self._closed = False

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
            response = client.query_points(
                self._collection,
                query=query,
                using=VECTOR_NAME,
                limit=number,
                query_filter=condition,
                # The width of the walk through the graph: as long as it is not below the limit, what is found depends
                # on it alone.
                search_params=models.SearchParams(hnsw_ef=candidates, exact=exact),
                with_payload=["product_id"],
            )
            return [
                Hit(point.payload["product_id"], point.score, str(point.id))
                for point in response.points
                if point.payload
            ]

        with self._asked() as client:
            hits = best_products(fetch, limit)
            if not hits:
                return []
            records = client.retrieve(self._collection, [hit.point_id for hit in hits], with_payload=True)
        return matches_of(hits, {str(record.id): record.payload for record in records})

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
        with self._asked() as client:
            response = client.query_points(
                self._collection,
                query=models.TextQuery(text=" ".join(terms)),
                using=field.value,
                limit=limit,
                query_filter=in_dialect(of_merchant(merchant, wanted, exclude), ServerDialect()),
                with_payload=["product_id"],
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
        with self._asked() as client:
            response = client.facet(self._collection, field, facet_filter=condition, limit=limit, exact=True)
        return most_frequent(Counted(hit.value, hit.count) for hit in response.hits)

    def count_products(self, merchant: str, wanted: Filter, *, exclude: Sequence[str] = ()) -> int:
        """How many products satisfy the filter, exactly."""
        return self._count(leading(merchant, wanted, exclude))

    def extremes(
        self, merchant: str, field: str, wanted: Filter, *, exclude: Sequence[str] = ()
    ) -> tuple[float, float] | None:
        """The least and the greatest of a number field; None when no product has one."""
        condition = in_dialect(leading(merchant, wanted, exclude), ServerDialect())
        ends = []
        with self._asked() as client:
            for direction in (models.Direction.ASC, models.Direction.DESC):
                records, _ = client.scroll(
                    self._collection,
                    scroll_filter=condition,
                    limit=1,
                    order_by=models.OrderBy(key=field, direction=direction),
                    with_payload=[field],
                )
                ends += [float(record.payload[field]) for record in records if record.payload]
        return (ends[0], ends[1]) if len(ends) == 2 else None  # noqa: PLR2004 - one end a direction

    def sample(self, number: int, merchant: str | None = None) -> list[Point]:
        """Up to `number` points at random."""
        if number < 1:
            return []
        wanted = Filter(must_not=(buried(),)) if merchant is None else of_merchant(merchant, Filter())
        with self._asked() as client:
            response = client.query_points(
                self._collection,
                query=models.SampleQuery(sample=models.Sample.RANDOM),
                limit=number,
                query_filter=in_dialect(wanted, ServerDialect()),
                with_payload=True,
                with_vectors=[VECTOR_NAME],
            )
        return [Point(str(point.id), vector_of(point), facts_of(point.payload or {})) for point in response.points]

    def _count(self, wanted: Filter) -> int:
        with self._asked() as client:
            condition = in_dialect(wanted, ServerDialect())
            return client.count(self._collection, count_filter=condition, exact=True).count

    @contextlib.contextmanager
    def _asked(self) -> Iterator[QdrantClient]:
        if self._closed:
            raise errors.IndexUnavailable("The connection to the Qdrant server is closed.")
        with server_asked():
            yield self._client


def vector_of(record: Any) -> Vector:
    """(dimension,) float32 of a point read with its vector."""
    # Any: the client's types allow for vectors of every kind, and for none where none were asked for.
    return np.asarray(record.vector[VECTOR_NAME], dtype=np.float32)
