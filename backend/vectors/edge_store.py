"""The embedded index: a `VectorStore` on a Qdrant Edge shard, opened by one process and shared by its threads."""

import shutil
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import qdrant_edge

from backend import errors
from backend.domain.filters import Filter
from backend.domain.payload import Payload
from backend.domain.picture import Vector
from backend.domain.product import ProductKey
from backend.ports import Point, Space, Tombstone
from backend.vectors.edge_filters import EdgeDialect
from backend.vectors.edge_growth import Growth, remove_leftovers
from backend.vectors.edge_limits import EdgeLimits
from backend.vectors.edge_memory import HeldMemory
from backend.vectors.edge_search import SCANNED_POINTS, EdgeSearch, vector_of
from backend.vectors.edge_shard import asked, create_shard, load_shard, number_index, optimize
from backend.vectors.filters import (
    buried,
    in_dialect,
    merchants_of,
    not_newer,
    of_content,
    of_merchant,
    of_product,
    of_products,
    older,
    with_image,
)
from backend.vectors.numbers import number_fields, unmet
from backend.vectors.open_shard import OpenShard
from backend.vectors.payload import VECTOR_NAME, storable_facts, storable_points
from backend.vectors.sidecar import NAME as SIDECAR_NAME
from backend.vectors.sidecar import SHARD, Sidecar, read_sidecar, write_sidecar
from backend.vectors.space import refuse_other_space
from backend.vectors.versions import by_version, tombstone_points, version_of

SCROLL_POINTS = 64
"""Points read at once with their vectors; a product has up to 16, so once is the rule."""
PURGED_TOMBSTONES = 1_000
"""Removed at once: 13 ms, in which every thread stands still; 50,000 at once take 0.7 s."""
DEFAULT_LIMITS = EdgeLimits()


class EdgeStore(EdgeSearch):
    """See `backend.ports.VectorStore`. Made by `create`, `open` or `open_or_create`, after any fork.

    The folder holds `index.json`, which any process may read, and the shard it names, which one holds at a time.
    """

    def __init__(self, shard: OpenShard, growth: Growth, memory: HeldMemory) -> None:
        super().__init__(shard)
        self._limits = shard.limits
        self._growth = growth
        self._memory = memory
        self._number_fields = shard.number_indexes()

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
        if not (path / sidecar.shard).exists():
            create_shard(path / sidecar.shard, sidecar.space.dimension)
            sidecar = replace(sidecar, graph=False)
        engine = load_shard(path / sidecar.shard)
        remove_leftovers(path, sidecar.shard)
        shard = OpenShard(path, sidecar, engine, limits)
        # A graph is never built here: that takes minutes.
        if not shard.graph and shard.size() <= limits.optimize_points and optimize(engine):
            shard.settle()
        growth, memory = Growth(shard), HeldMemory(shard)
        growth.start()
        memory.start()
        return cls(shard, growth, memory)

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

    @property
    def unsure_since(self) -> datetime | None:
        """The last flush, when the index was not closed since: what was written after it may have gone with the power.

        Not None: order that again. A killed process leaves the same doubt though it lost nothing: what it wrote was
        with the operating system. The moment stands, over restarts too, until `accept_loss`.
        """
        return self._shard.unsure_since

    def accept_loss(self) -> None:
        """Take the index as it is. To be called once what may be missing has been ordered durably."""
        self._shard.accept_loss()

    def upsert(self, points: Sequence[Point]) -> None:
        """Insert, or replace what is older, after checking all of them."""
        usable = storable_points(points, self.space.dimension)
        self._index_numbers([point.payload for point in usable])
        self._put(usable, older)

    def set_facts(self, key: ProductKey, facts: Payload, *, image: str | None = None) -> None:
        """Merge `facts` into the payload of those points of a product, or of the one with a picture, that are older."""
        usable = storable_facts(facts)
        wanted = in_dialect(with_image(of_product(key, older_than=version_of(usable)), image), EdgeDialect())
        self._index_numbers([usable])
        self._shard.write([(asked(qdrant_edge.UpdateOperation.set_payload_by_filter, wanted, usable), 1)])

    def bury(self, tombstones: Sequence[Tombstone]) -> None:
        """Put tombstones in the place of these points, unless what is there is newer."""
        self._put(tombstone_points(tombstones, self.space.dimension, time.time()), not_newer)

    def purge_tombstones(self, before: datetime) -> None:
        """Remove tombstones put before a moment."""
        gone = in_dialect(buried(before.timestamp()), EdgeDialect())
        while True:
            found, _ = self._shard.ask(
                "scroll",
                qdrant_edge.ScrollRequest(limit=PURGED_TOMBSTONES, filter=gone, with_payload=False, with_vector=False),
            )
            if not found:
                return
            # By the filter too: what was replaced by a point since it was found is no tombstone any more.
            these = qdrant_edge.Filter(must=[gone, qdrant_edge.HasIdCondition({record.id for record in found})])
            self._shard.remove(asked(qdrant_edge.UpdateOperation.delete_points_by_filter, these))

    def images_of(self, keys: Collection[ProductKey]) -> Mapping[ProductKey, set[str]]:
        """The content hashes of each product's points, by product; of one that has none, an empty set."""
        found: dict[ProductKey, set[str]] = {key: set() for key in keys}
        for merchant, names in merchants_of(found, SCANNED_POINTS):
            records = self._scrolled(
                of_products(merchant, names), ["product_id", "image"], vectors=False, page=SCANNED_POINTS
            )
            for record in records:
                found[ProductKey(merchant, record.payload["product_id"])].add(record.payload["image"])
        return found

    def vectors_of(self, key: ProductKey) -> Mapping[str, Vector]:
        """Content hash -> vector of a product's points."""
        records = self._scrolled(of_product(key), ["image"], vectors=True, page=SCROLL_POINTS)
        return {record.payload["image"]: vector_of(record) for record in records}

    def vectors_by_content(self, content_hashes: Sequence[str]) -> Mapping[str, Vector]:
        """Content hash -> vector of any one point that shows it: 0.03 ms a hash, however many products share it. One
        question if none is shown, as the rule is while a shop is filled.
        """
        wanted = dict.fromkeys(content_hashes)
        if not wanted or not self._first(of_content(*wanted)):
            return {}
        found = {content_hash: self._first(of_content(content_hash)) for content_hash in wanted}
        return {content_hash: vector_of(records[0]) for content_hash, records in found.items() if records}

    def count(self, merchant: str | None = None) -> int:
        """How many points there are, of one merchant or in all."""
        if merchant is None:
            # Two questions, though a tombstone put between them is missed for once: to count what does not match, the
            # engine walks over everything, which stops the threads for 14 ms at 100,000 points.
            return max(0, self._shard.size() - self._count(buried()))
        return self._count(of_merchant(merchant, Filter()))

    def snapshot(self, folder: Path) -> None:
        """Copy the index as it lies on the disk, with what it is built of. See the port."""
        self._shard.snapshot(folder)

    def grow(self) -> bool:
        """Do at once what is done in time: build the shard anew where that is wanted, in minutes; whether it was."""
        return self._growth.look()

    def flush(self) -> None:
        """Make everything written so far survive a loss of power."""
        self._shard.flush()

    def close(self) -> None:
        """Flush and let go of the folder; the store cannot be used afterwards."""
        self._growth.close()
        self._memory.close()
        self._shard.close()

    def _first(self, wanted: Filter) -> list[Any]:
        """Any one point that satisfies a filter, with its vector; nothing where there is none."""
        condition = in_dialect(wanted, EdgeDialect())
        records: list[Any]
        records, _ = self._shard.ask(
            "scroll",
            qdrant_edge.ScrollRequest(limit=1, filter=condition, with_payload=False, with_vector=[VECTOR_NAME]),
        )
        return records

    def _index_numbers(self, payloads: Sequence[Payload]) -> None:
        """An index for each attribute that is a number: at once while that is short, else when the shard is built anew.

        What a process that ends has not built is met again by the next product that has the attribute.
        """
        for field in unmet(number_fields(payloads), self._number_fields):
            self._number_fields.add(field)
            if self._shard.size() <= self._limits.index_at_once_points:
                self._shard.write([(number_index(field), 0)])
            else:
                self._growth.index_numbers(field)

    def _put(self, points: Sequence[Point], replaceable: Callable[[int], Filter]) -> None:
        """Insert, or replace what the filter for the point's version admits."""
        step, operations = self._limits.batch_points, list[tuple[qdrant_edge.UpdateOperation, int]]()
        for version, group in by_version(points).items():
            condition = in_dialect(replaceable(version), EdgeDialect())
            for start in range(0, len(group), step):
                batch = group[start : start + step]
                operations.append((asked(_upsertion, batch, condition), len(batch)))
        self._shard.write(operations)


def _upsertion(points: Sequence[Point], condition: qdrant_edge.Filter) -> qdrant_edge.UpdateOperation:
    return qdrant_edge.UpdateOperation.upsert_points([_engine_point(point) for point in points], condition)


def _engine_point(point: Point) -> qdrant_edge.Point:
    array: Any = point.vector  # the stub names lists; arrays are read as they are
    return qdrant_edge.Point(id=point.point_id, vector={VECTOR_NAME: array}, payload=point.payload)
