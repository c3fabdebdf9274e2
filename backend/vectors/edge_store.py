"""The embedded index: a `VectorStore` on a Qdrant Edge shard, opened by one process and shared by its threads."""

import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Self

import numpy as np
import qdrant_edge

from backend import errors
from backend.domain.filters import Filter
from backend.domain.payload import Payload
from backend.domain.picture import Vector
from backend.domain.product import ProductKey
from backend.domain.query import Match
from backend.ports import Point, Space
from backend.vectors.deepening import Hit, best_products, matches_of
from backend.vectors.edge_filters import EdgeDialect
from backend.vectors.edge_shard import asked, create_shard, load_shard, optimize, rescored
from backend.vectors.filters import in_dialect, of_merchant, of_products
from backend.vectors.open_shard import EdgeLimits, OpenShard
from backend.vectors.payload import VECTOR_NAME, known_ids, query_vector, storable_facts, storable_points
from backend.vectors.sidecar import NAME as SIDECAR_NAME
from backend.vectors.sidecar import Sidecar, read_sidecar, write_sidecar
from backend.vectors.space import refuse_other_space

SHARD = "shard"
SCROLL_POINTS = 64
"""Points read at once with their vectors; a product has up to 16, so once is the rule."""
DEFAULT_LIMITS = EdgeLimits()


class EdgeStore:
    """See `backend.ports.VectorStore`. Made by `create`, `open` or `open_or_create`, after any fork.

    The folder holds `index.json`, which any process may read, and `shard/`, which one process holds at a time.
    """

    def __init__(self, shard: OpenShard, limits: EdgeLimits) -> None:
        self._shard = shard
        self._limits = limits

    @staticmethod
    def stored_space(path: Path) -> Space | None:
        """The space of the index at `path`; None when there is none. Takes no lock, so any process may ask."""
        sidecar = read_sidecar(path)
        return None if sidecar is None else sidecar.space

    @classmethod
    def create(cls, path: Path, space: Space, limits: EdgeLimits = DEFAULT_LIMITS) -> Self:
        """Make an empty index and open it. Raises `Misconfigured` when there is something at `path` already."""
        if read_sidecar(path) is not None or (path / SHARD).exists():
            raise errors.Misconfigured(f"{path} holds an index already; remove the folder to build it anew.")
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as err:
            raise errors.IndexUnavailable(f"The embedded index cannot be created at {path}: {err}") from err
        # The description comes first: from here on the index exists, and `open` makes the shard it lacks.
        write_sidecar(path, Sidecar(space, datetime.now(UTC).isoformat()), durable=True)
        return cls.open(path, limits)

    @classmethod
    def open(cls, path: Path, limits: EdgeLimits = DEFAULT_LIMITS) -> Self:
        """Open the index at `path`. One that lost its shard opens empty, with everything in `missing_points`.

        Raises `DataDirectoryInUse` when another process has it open, `IndexUnavailable` when it is absent or damaged.
        """
        sidecar = read_sidecar(path)
        if sidecar is None:
            raise errors.IndexUnavailable(f"There is no index at {path}.")
        if not (path / SHARD).exists():
            create_shard(path / SHARD, sidecar.space.dimension)
        engine = load_shard(path / SHARD)
        shard = OpenShard(path, sidecar, engine, limits)
        if shard.size() <= limits.optimize_points:
            optimize(engine)
        return cls(shard, limits)

    @classmethod
    def open_or_create(cls, path: Path, space: Space, limits: EdgeLimits = DEFAULT_LIMITS) -> Self:
        """Open the index at `path`, or make it. Raises `ModelMismatch` when it was made for another space."""
        stored = cls.stored_space(path)
        if stored is None:
            return cls.create(path, space, limits)
        refuse_other_space(str(path), stored, space)
        return cls.open(path, limits)

    @staticmethod
    def remove(path: Path) -> None:
        """Delete the index at `path`; nothing happens when there is none. Nobody may have it open.

        The description goes first: from then on there is no index, whatever becomes of the rest.
        """
        if path.exists():
            (path / SIDECAR_NAME).unlink(missing_ok=True)
            shutil.rmtree(path)

    @property
    def space(self) -> Space:
        """The space the index was created for, as stored beside it."""
        return self._shard.space

    @property
    def missing_points(self) -> int:
        """How many points the engine did not find again when the index was opened. Not 0: order a rebuild.

        The engine has no checksums and loads without parts that are gone. A process killed in the instant between
        removing points and noting it looks the same, which costs a rebuild and nothing else. The number stands, over
        restarts too, until `accept_loss`.
        """
        return self._shard.missing_points

    def accept_loss(self) -> None:
        """Take the index as it is. To be called once the rebuild has been ordered durably."""
        self._shard.accept_loss()

    def upsert(self, points: Sequence[Point]) -> None:
        """Insert or replace, after checking all of them."""
        usable = storable_points(points, self.space.dimension)
        step = self._limits.batch_points
        batches = [usable[start : start + step] for start in range(0, len(usable), step)]
        self._shard.write([(asked(_upsertion, batch), len(batch)) for batch in batches])

    def set_facts(self, key: ProductKey, facts: Payload) -> None:
        """Merge `facts` into the payload of all points of a product."""
        change = qdrant_edge.UpdateOperation.set_payload_by_filter
        self._shard.write([(asked(change, _points_of([key]), storable_facts(facts)), 1)])

    def remove_points(self, point_ids: Sequence[str]) -> None:
        """Remove single points."""
        self._shard.remove(qdrant_edge.UpdateOperation.delete_points([*known_ids(point_ids)]))

    def remove_products(self, keys: Sequence[ProductKey]) -> None:
        """Remove every point of these products."""
        for _, group in groupby(sorted(keys), key=lambda key: key.merchant):
            self._shard.remove(qdrant_edge.UpdateOperation.delete_points_by_filter(_points_of(list(group))))

    def vectors_of(self, key: ProductKey) -> Mapping[str, Vector]:
        """Content hash -> vector of a product's points."""
        wanted, found, after = _points_of([key]), dict[str, Vector](), None
        while True:
            records, after = self._shard.ask(
                "scroll",
                qdrant_edge.ScrollRequest(
                    offset=after, limit=SCROLL_POINTS, filter=wanted, with_payload=["image"], with_vector=[VECTOR_NAME]
                ),
            )
            for record in records:
                found[record.payload["image"]] = np.asarray(record.vector[VECTOR_NAME], dtype=np.float32)
            if after is None:
                return found

    def nearest(
        self, merchant: str, vector: Vector, wanted: Filter, *, limit: int, exclude: Sequence[str] = ()
    ) -> list[Match]:
        """The `limit` best products of a merchant that satisfy the filter. See the port."""
        array: Any = query_vector(vector, self.space.dimension)  # the stub names lists; arrays are read as they are
        query = qdrant_edge.Query.Nearest(array, using=VECTOR_NAME)
        condition = in_dialect(of_merchant(merchant, wanted, exclude), EdgeDialect())

        def fetch(number: int, candidates: int) -> list[Hit]:
            request = qdrant_edge.QueryRequest(
                query=query,
                limit=number,
                filter=condition,
                with_payload=["product_id"],
                params=rescored(oversampling=candidates / number),
            )
            found = self._shard.ask("query", request)
            return [Hit(point.payload["product_id"], point.score, str(point.id)) for point in found]

        hits = best_products(fetch, limit)
        records = self._shard.ask("retrieve", [hit.point_id for hit in hits], True, False)
        return matches_of(hits, {str(record.id): record.payload for record in records})

    def count(self, merchant: str | None = None) -> int:
        """How many points there are, of one merchant or in all."""
        if merchant is None:
            return self._shard.size()
        condition = in_dialect(of_merchant(merchant, Filter()), EdgeDialect())
        counted: int = self._shard.ask("count", qdrant_edge.CountRequest(filter=condition, exact=True))
        return counted

    def flush(self) -> None:
        """Make everything written so far survive a loss of power."""
        self._shard.flush()

    def close(self) -> None:
        """Flush and let go of the folder; the store cannot be used afterwards."""
        self._shard.close()


def _points_of(keys: Sequence[ProductKey]) -> qdrant_edge.Filter:
    """The points of products of one merchant."""
    return in_dialect(of_products(keys[0].merchant, [key.product_id for key in keys]), EdgeDialect())


def _upsertion(points: Sequence[Point]) -> qdrant_edge.UpdateOperation:
    return qdrant_edge.UpdateOperation.upsert_points([_engine_point(point) for point in points])


def _engine_point(point: Point) -> qdrant_edge.Point:
    array: Any = point.vector  # the stub names lists; arrays are read as they are
    return qdrant_edge.Point(id=point.point_id, vector={VECTOR_NAME: array}, payload=point.payload)
