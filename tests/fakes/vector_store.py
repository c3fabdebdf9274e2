"""A vector store in plain Python: an exact matrix product over a dictionary, filtered by the reference itself."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from backend import errors
from backend.domain.filters import Filter, matches
from backend.domain.payload import Payload
from backend.domain.picture import Vector
from backend.domain.product import ProductKey
from backend.domain.query import Match
from backend.ports import Point, Space
from backend.vectors.payload import facts_of, known_ids, query_vector, storable_facts, storable_points


@dataclass(frozen=True)
class Stored:
    vector: Vector
    payload: Payload

    @property
    def key(self) -> ProductKey:
        return ProductKey(str(self.payload["merchant"]), str(self.payload["product_id"]))


class FakeVectorStore:
    """See `backend.ports.VectorStore`. What may be written is the port's rule, so it is checked by the same code.

    `flushes` counts; `down` makes every call fail as an engine that does not answer.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        self._points: dict[str, Stored] = {}
        self._lock = threading.RLock()
        self._closed = False
        self.flushes = 0
        self.down = False

    @property
    def space(self) -> Space:
        return self._space

    def upsert(self, points: Sequence[Point]) -> None:
        self._answer()
        usable = storable_points(points, self._space.dimension)
        with self._lock:
            for point in usable:
                length = np.linalg.norm(point.vector)
                self._points[point.point_id] = Stored((point.vector / length).astype(np.float32), point.payload)

    def set_facts(self, key: ProductKey, facts: Payload) -> None:
        self._answer()
        usable = storable_facts(facts)
        with self._lock:
            for point_id, stored in self._points.items():
                if stored.key == key:
                    self._points[point_id] = Stored(stored.vector, {**stored.payload, **usable})

    def remove_points(self, point_ids: Sequence[str]) -> None:
        self._answer()
        with self._lock:
            for point_id in known_ids(point_ids):
                self._points.pop(point_id, None)

    def remove_products(self, keys: Sequence[ProductKey]) -> None:
        self._answer()
        gone = set(keys)
        with self._lock:
            self._points = {point_id: stored for point_id, stored in self._points.items() if stored.key not in gone}

    def vectors_of(self, key: ProductKey) -> Mapping[str, Vector]:
        self._answer()
        return {str(stored.payload["image"]): stored.vector for stored in self._all() if stored.key == key}

    def nearest(
        self, merchant: str, vector: Vector, wanted: Filter, *, limit: int, exclude: Sequence[str] = ()
    ) -> list[Match]:
        self._answer()
        query = query_vector(vector, self._space.dimension)
        query = query / np.linalg.norm(query)
        admitted = [
            stored
            for stored in self._all()
            if stored.key.merchant == merchant
            and stored.key.product_id not in exclude
            and matches(stored.payload, wanted)
        ]
        best: dict[str, Match] = {}
        for stored in sorted(admitted, key=lambda stored: str(stored.payload["image"])):
            # One sum a vector: a matrix product's last bit may depend on the row, and equal vectors must tie.
            score = float(np.sum(stored.vector * query, dtype=np.float32))
            product_id = stored.key.product_id
            if product_id not in best or score > best[product_id].score:
                best[product_id] = Match(product_id, score, str(stored.payload["image"]), facts_of(stored.payload))
        return sorted(best.values(), key=lambda match: (-match.score, match.product_id))[: max(0, limit)]

    def count(self, merchant: str | None = None) -> int:
        self._answer()
        return sum(merchant in (None, stored.key.merchant) for stored in self._all())

    def flush(self) -> None:
        self._answer()
        self.flushes += 1

    def close(self) -> None:
        self._closed = True

    def _all(self) -> list[Stored]:
        with self._lock:
            return list(self._points.values())

    def _answer(self) -> None:
        if self._closed or self.down:
            raise errors.IndexUnavailable("The fake index is closed." if self._closed else "The fake index is down.")
