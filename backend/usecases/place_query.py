"""What is searched by -> one vector: pictures, words and products in their shares."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from backend.domain.picture import Vector
from backend.domain.product import ProductKey
from backend.domain.query import Query
from backend.errors import ImageNotFound, ProductNotSearchable, QueryMissing
from backend.ports import Catalog, VectorStore
from backend.usecases.embed_query import EmbedQuery
from backend.usecases.read_product import live_product

Lap = Callable[[str], None]
"""Told the name of a stage when it ends."""


@dataclass(frozen=True)
class PlaceQuery:
    """The query's place in the space: the weighted sum of what was given, of unit length.

    `deleted`: ids of the deleted products that the index still holds; None when they are too many to be named.
    """

    catalog: Catalog
    embed_query: EmbedQuery
    vectors: VectorStore
    deleted: Collection[str] | None

    def __call__(self, query: Query, text: str | None, lap: Lap) -> Vector:
        """`text`: the query's words as they are to be read. Raises what `SearchProducts` does."""
        parts: list[tuple[float, Vector]] = []
        if (picture := self._picture_vector(query, lap)) is not None:
            parts.append((query.image_weight, picture))
        if query.product_id is not None:
            parts.append((query.image_weight, self._product_vector(ProductKey(query.merchant, query.product_id))))
            lap("search")
        if text is not None:
            parts.append((query.text_weight, self.embed_query.text(text, lap)))
        if not parts:
            raise QueryMissing
        if len(parts) == 1:
            return parts[0][1]
        return _unit(sum((weight * part for weight, part in parts), np.zeros_like(parts[0][1])), fallback=parts[0][1])

    def _picture_vector(self, query: Query, lap: Lap) -> Vector | None:
        if query.image is not None:
            return self.embed_query.picture(query.image, lap)
        if query.image_id is None:
            return None
        if not self.catalog.owns_image(query.merchant, query.image_id):  # vectors are shared, access is not
            raise ImageNotFound(field="image.image_id")
        return self.embed_query.stored_picture(query.image_id, lap)

    def _product_vector(self, key: ProductKey) -> Vector:
        """The mean of a product's pictures. A product that the index shows and that is not deleted is there: the
        catalog would take three statements to say so.
        """
        vectors = list(self.vectors.vectors_of(key).values())
        if not vectors or self.deleted is None or key.product_id in self.deleted:
            live_product(self.catalog, key, field="product_id")
        if not vectors:
            raise ProductNotSearchable(field="product_id")
        return _unit(np.mean(vectors, axis=0), fallback=vectors[0])


def _unit(vector: Vector, *, fallback: Vector) -> Vector:
    """Scaled to length one; opposite parts may cancel to nothing, and then the first part speaks alone."""
    length = float(np.linalg.norm(vector))
    return (vector / length).astype(np.float32) if length > 1e-6 else fallback  # noqa: PLR2004 - float32 noise
