"""A vector store in plain Python: an exact matrix product over a dictionary, filtered by the reference itself."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from backend import errors
from backend.domain.filters import Filter, matches
from backend.domain.payload import Payload
from backend.domain.picture import Vector
from backend.domain.product import ProductKey
from backend.domain.query import Match
from backend.ports import Point, Space, Tombstone
from backend.vectors.payload import facts_of, query_vector, storable_facts, storable_points
from backend.vectors.versions import BURIED_AT, tombstone_points, version_of


@dataclass(frozen=True)
class Stored:
    vector: Vector
    payload: Payload

    @property
    def key(self) -> ProductKey:
        return ProductKey(str(self.payload["merchant"]), str(self.payload["product_id"]))

    @property
    def version(self) -> int:
        return version_of(self.payload)

    @property
    def buried_at(self) -> float | None:
        """None: a picture's point. Else it is a tombstone, which has no key."""
        moment = self.payload.get(BURIED_AT)
        assert moment is None or isinstance(moment, float)
        return moment


class FakeVectorStore:
    """See `backend.ports.VectorStore`. What may be written is the port's rule, so it is checked by the same code.

    `flushes` counts; `down` makes every call fail as an engine that does not answer. `clock` dates tombstones.
    """

    def __init__(self, space: Space, clock: Callable[[], float] = time.time) -> None:
        self._space = space
        self._clock = clock
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
        for point in points:
            version_of(point.payload)
        usable = storable_points(points, self._space.dimension)
        with self._lock:
            for point in usable:
                stored = self._points.get(point.point_id)
                if stored is None or stored.version < version_of(point.payload):
                    self._put(point)

    def set_facts(self, key: ProductKey, facts: Payload) -> None:
        self._answer()
        version, usable = version_of(facts), storable_facts(facts)
        with self._lock:
            for point_id, stored in self._points.items():
                if stored.buried_at is None and stored.key == key and stored.version < version:
                    self._points[point_id] = Stored(stored.vector, {**stored.payload, **usable})

    def bury(self, tombstones: Sequence[Tombstone]) -> None:
        self._answer()
        with self._lock:
            for point in tombstone_points(tombstones, self._space.dimension, self._clock()):
                stored = self._points.get(point.point_id)
                if stored is None or stored.version <= version_of(point.payload):
                    self._put(point)

    def purge_tombstones(self, before: datetime) -> None:
        self._answer()
        with self._lock:
            self._points = {
                point_id: stored
                for point_id, stored in self._points.items()
                if stored.buried_at is None or stored.buried_at >= before.timestamp()
            }

    def vectors_of(self, key: ProductKey) -> Mapping[str, Vector]:
        self._answer()
        return {str(stored.payload["image"]): stored.vector for stored in self._all() if stored.key == key}

    def vectors_by_content(self, content_hashes: Sequence[str]) -> Mapping[str, Vector]:
        self._answer()
        wanted = set(content_hashes)
        found = {str(stored.payload["image"]): stored.vector for stored in self._all()}
        return {image: vector for image, vector in found.items() if image in wanted}

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
        """The points of pictures, without the tombstones."""
        with self._lock:
            return [stored for stored in self._points.values() if stored.buried_at is None]

    def _put(self, point: Point) -> None:
        length = np.linalg.norm(point.vector)
        self._points[point.point_id] = Stored((point.vector / length).astype(np.float32), point.payload)

    def _answer(self) -> None:
        if self._closed or self.down:
            raise errors.IndexUnavailable("The fake index is closed." if self._closed else "The fake index is down.")
