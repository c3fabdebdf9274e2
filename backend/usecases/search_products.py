"""Find products by picture, words, both, or another product, under a filter."""

import time
from dataclasses import dataclass

import numpy as np

from backend.domain.picture import Vector
from backend.domain.product import ProductKey
from backend.domain.query import Match, Query, Results
from backend.errors import ImageNotFound, ProductNotSearchable, QueryMissing
from backend.ports import Catalog, VectorStore
from backend.usecases.embed_query import EmbedQuery
from backend.usecases.read_product import live_product

_MAX_EXCLUDED = 1_000
"""Deletes the index is still to follow that are left out by the index itself; more than that is a mass delete, and what
it finds is looked up in the catalog."""

_DEEPEST = 16_000
"""Products a search goes through at most for its page during a mass delete: then the page is short, but not wrong."""


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
    """The search way: decode, embed, nearest under the filter."""

    catalog: Catalog
    embed_query: EmbedQuery
    vectors: VectorStore

    def __call__(self, query: Query) -> Results:
        """A page. Raises `QueryMissing`, `UnreadableImage`, `ImageNotFound`, `ProductNotFound`, `Unavailable`."""
        watch = _Stopwatch()
        vector = self._vector(query, watch)
        exclude = self.catalog.deleted_but_indexed(query.merchant, _MAX_EXCLUDED)
        if query.product_id is not None:
            exclude.append(query.product_id)
        found = self._nearest(query, vector, exclude)
        watch.lap("search")
        return Results(tuple(found[query.offset :]), watch.total())

    def _nearest(self, query: Query, vector: Vector, exclude: list[str]) -> list[Match]:
        """The best products that are not deleted, whatever the index still holds."""
        wanted = limit = query.offset + query.limit
        while True:
            found = self.vectors.nearest(query.merchant, vector, query.filter, limit=limit, exclude=exclude)
            if len(exclude) < _MAX_EXCLUDED:  # those are all
                return found
            live = self._live(query.merchant, found)
            if len(live) >= wanted or len(found) < limit or limit >= _DEEPEST:
                return live[:wanted]
            limit *= 4

    def _live(self, merchant: str, found: list[Match]) -> list[Match]:
        records = self.catalog.products([ProductKey(merchant, match.product_id) for match in found])
        live = {record.product.key.product_id for record in records if not record.deleted}
        return [match for match in found if match.product_id in live]

    def _vector(self, query: Query, watch: _Stopwatch) -> Vector:
        """The query's place in the space: the weighted sum of what was given, of unit length."""
        parts: list[tuple[float, Vector]] = []
        if (picture := self._picture_vector(query, watch)) is not None:
            parts.append((query.image_weight, picture))
        if query.product_id is not None:
            parts.append((query.image_weight, self._product_vector(ProductKey(query.merchant, query.product_id))))
            watch.lap("search")
        if query.text is not None:
            parts.append((query.text_weight, self.embed_query.text(query.text, watch.lap)))
        if not parts:
            raise QueryMissing
        if len(parts) == 1:
            return parts[0][1]
        return _unit(sum((weight * part for weight, part in parts), np.zeros_like(parts[0][1])), fallback=parts[0][1])

    def _picture_vector(self, query: Query, watch: _Stopwatch) -> Vector | None:
        if query.image is not None:
            return self.embed_query.picture(query.image, watch.lap)
        if query.image_id is None:
            return None
        if not self.catalog.owns_image(query.merchant, query.image_id):  # vectors are shared, access is not
            raise ImageNotFound(field="image.image_id")
        return self.embed_query.stored_picture(query.image_id, watch.lap)

    def _product_vector(self, key: ProductKey) -> Vector:
        """The mean of a product's pictures."""
        live_product(self.catalog, key, field="product_id")
        vectors = list(self.vectors.vectors_of(key).values())
        if not vectors:
            raise ProductNotSearchable(field="product_id")
        return _unit(np.mean(vectors, axis=0), fallback=vectors[0])


def _unit(vector: Vector, *, fallback: Vector) -> Vector:
    """Scaled to length one; opposite parts may cancel to nothing, and then the first part speaks alone."""
    length = float(np.linalg.norm(vector))
    return (vector / length).astype(np.float32) if length > 1e-6 else fallback  # noqa: PLR2004 - float32 noise
