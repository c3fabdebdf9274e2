"""A vector store in plain Python: an exact matrix product over a dictionary, filtered by the reference itself."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import starmap
from pathlib import Path

import numpy as np

from backend import errors
from backend.domain.filters import Filter, matches
from backend.domain.payload import Payload, point_id
from backend.domain.picture import Vector
from backend.domain.product import ProductKey
from backend.domain.query import Counted, Match, WordMatch
from backend.domain.words import WordField
from backend.ports import Point, Space, Tombstone
from backend.vectors.payload import facts_of, query_vector, storable_facts, storable_points
from backend.vectors.snapshots import snapshot_points
from backend.vectors.versions import BURIED_AT, tombstone_points, version_of
from tests.fakes.bm25 import Bm25


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

    def set_facts(self, key: ProductKey, facts: Payload, *, image: str | None = None) -> None:
        self._answer()
        version, usable = version_of(facts), storable_facts(facts)
        with self._lock:
            for name, stored in self._points.items():
                older = stored.buried_at is None and stored.key == key and stored.version < version
                if older and image in (None, stored.payload["image"]):
                    self._points[name] = Stored(stored.vector, {**stored.payload, **usable})

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
                name: stored
                for name, stored in self._points.items()
                if stored.buried_at is None or stored.buried_at >= before.timestamp()
            }

    def images_of(self, keys: Collection[ProductKey]) -> Mapping[ProductKey, set[str]]:
        self._answer()
        found: dict[ProductKey, set[str]] = {key: set() for key in keys}
        for stored in self._all():
            if stored.key in found:
                found[stored.key].add(str(stored.payload["image"]))
        return found

    def vectors_of(self, key: ProductKey) -> Mapping[str, Vector]:
        self._answer()
        return {str(stored.payload["image"]): stored.vector for stored in self._all() if stored.key == key}

    def vectors_by_content(self, content_hashes: Sequence[str]) -> Mapping[str, Vector]:
        self._answer()
        wanted = set(content_hashes)
        found = {str(stored.payload["image"]): stored.vector for stored in self._all()}
        return {image: vector for image, vector in found.items() if image in wanted}

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
        self._answer()
        query = query_vector(vector, self._space.dimension)
        query = query / np.linalg.norm(query)
        found: list[tuple[float, str, Match]] = []
        for stored in self._admitted(merchant, wanted, exclude):
            # One sum a vector: a matrix product's last bit may depend on the row, and equal vectors must tie.
            score = float(np.sum(stored.vector * query, dtype=np.float32))
            image = str(stored.payload["image"])
            match = Match(stored.key.product_id, score, image, facts_of(stored.payload))
            found.append((-score, point_id(stored.key, image), match))
        best: dict[str, Match] = {}
        for *_, match in sorted(found, key=lambda each: each[:2]):
            best.setdefault(match.product_id, match)
        return list(best.values())[: max(0, limit)]

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
        self._answer()
        texts = [stored.payload.get(field.value) for stored in self._all()]
        rules = Bm25([text.split() for text in texts if isinstance(text, str) and text])
        found = []
        for stored in self._admitted(merchant, wanted, exclude):
            text = stored.payload.get(field.value)
            score = rules.score(text.split(), terms) if isinstance(text, str) else 0.0
            if score > 0.0:
                found.append(WordMatch(stored.key.product_id, score))
        return sorted(found, key=lambda match: (-match.score, match.product_id))[: max(0, limit)]

    def facet(
        self, merchant: str, field: str, wanted: Filter, *, limit: int, exclude: Sequence[str] = ()
    ) -> list[Counted]:
        self._answer()
        counts: Counter[str | int] = Counter()
        for stored in self._leading(merchant, wanted, exclude):
            value = stored.payload.get(field)
            counts.update({value} if isinstance(value, str | int) else set(value) if isinstance(value, list) else ())
        return sorted(starmap(Counted, counts.items()), key=lambda it: (-it.products, it.value))[: max(0, limit)]

    def count_products(self, merchant: str, wanted: Filter, *, exclude: Sequence[str] = ()) -> int:
        self._answer()
        return len(self._leading(merchant, wanted, exclude))

    def extremes(
        self, merchant: str, field: str, wanted: Filter, *, exclude: Sequence[str] = ()
    ) -> tuple[float, float] | None:
        self._answer()
        values = [stored.payload.get(field) for stored in self._leading(merchant, wanted, exclude)]
        numbers = [value for value in values if isinstance(value, int | float)]
        return (min(numbers), max(numbers)) if numbers else None

    def sample(self, number: int, merchant: str | None = None) -> list[Point]:
        self._answer()
        with self._lock:
            there = [
                Point(name, stored.vector, facts_of(stored.payload))
                for name, stored in self._points.items()
                if stored.buried_at is None and merchant in (None, stored.key.merchant)
            ]
        return random.sample(there, min(number, len(there)))  # as the engines' own: a different one each time

    def scan(self) -> Iterator[Point]:
        self._answer()
        with self._lock:
            there = sorted(self._points.items())
        yield from [
            Point(name, stored.vector, dict(stored.payload)) for name, stored in there if stored.buried_at is None
        ]

    def snapshot(self, folder: Path) -> None:
        snapshot_points(self, folder)

    def count(self, merchant: str | None = None) -> int:
        self._answer()
        return sum(merchant in (None, stored.key.merchant) for stored in self._all())

    def flush(self) -> None:
        self._answer()
        self.flushes += 1

    def close(self) -> None:
        self._closed = True

    def _admitted(self, merchant: str, wanted: Filter, exclude: Sequence[str]) -> list[Stored]:
        return [
            stored
            for stored in self._all()
            if stored.key.merchant == merchant
            and stored.key.product_id not in exclude
            and matches(stored.payload, wanted)
        ]

    def _leading(self, merchant: str, wanted: Filter, exclude: Sequence[str]) -> list[Stored]:
        return [stored for stored in self._admitted(merchant, wanted, exclude) if stored.payload.get("lead") == 1]

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
