"""The index on a Qdrant server or cluster: a `VectorStore` on one of its collections. Needs Qdrant 1.20 or later."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Self

from qdrant_client import models

from backend import errors
from backend.domain.filters import Filter
from backend.domain.payload import Payload
from backend.domain.picture import Vector
from backend.domain.product import ProductKey
from backend.ports import Point, Space, Tombstone
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
from backend.vectors.payload import VECTOR_NAME, storable_facts, storable_points
from backend.vectors.server import Server
from backend.vectors.server_collection import (
    create_collection,
    index_number,
    index_payload,
    number_indexes,
    remove_collection,
    stored_space,
    warn_of_another_layout,
)
from backend.vectors.server_design import Design
from backend.vectors.server_filters import ServerDialect
from backend.vectors.server_search import ServerSearch, vector_of
from backend.vectors.snapshots import snapshot_points
from backend.vectors.space import refuse_other_space
from backend.vectors.versions import by_version, tombstone_points, version_of

BATCH_POINTS = 64
"""Points in one request: some 400 kB of JSON at 512 dimensions, far below the server's 32 MB, and short to repeat."""
SCROLL_POINTS = 64
"""Points read at once with their vectors; a product has up to 16, so once is the rule."""


class ServerStore(ServerSearch):
    """See `backend.ports.VectorStore`. Made by `create`, `open` or `open_or_create`; safe to call from many threads.

    The space stands in the collection's metadata. Every call raises `IndexUnavailable` when the server does not answer.
    """

    def __init__(self, server: Server, collection: str, space: Space) -> None:
        super().__init__(server, collection, space)
        self._number_fields = set[str]()

    @staticmethod
    def stored_space(server: Server, collection: str) -> Space | None:
        """The space of a collection; None when there is no such collection."""
        return stored_space(server, collection)

    @classmethod
    def create(cls, server: Server, collection: str, space: Space, design: Design | None = None) -> Self:
        """Make the collection, with its payload indexes before any point, and open it."""
        create_collection(server, collection, space, design or Design())
        return cls.open(server, collection)

    @classmethod
    def open(cls, server: Server, collection: str) -> Self:
        """Open the collection, making the payload indexes it lacks. Raises `IndexUnavailable` when there is none."""
        space = cls.stored_space(server, collection)
        if space is None:
            raise errors.IndexUnavailable(f"There is no collection {collection} on the Qdrant server.")
        index_payload(server, collection)
        return cls(server, collection, space)

    @classmethod
    def open_or_create(cls, server: Server, collection: str, space: Space, design: Design | None = None) -> Self:
        """Open the collection, or make it. Raises `ModelMismatch` when it was made for another space."""
        stored = cls.stored_space(server, collection)
        if stored is None:
            try:
                return cls.create(server, collection, space, design)
            except errors.IndexUnavailable:
                stored = cls.stored_space(server, collection)
                if stored is None:
                    raise
                # Another process made it between the two calls: a new deployment's processes start together.
        refuse_other_space(collection, stored, space)
        if design is not None:
            warn_of_another_layout(server, collection, design)
        return cls.open(server, collection)

    @staticmethod
    def remove(server: Server, collection: str) -> None:
        """Delete the collection; nothing happens when there is none."""
        remove_collection(server, collection)

    @property
    def space(self) -> Space:
        """The space the collection was created for."""
        return self._space

    def upsert(self, points: Sequence[Point]) -> None:
        """Insert, or replace what is older, after checking all of them."""
        usable = storable_points(points, self._space.dimension)
        self._index_numbers([point.payload for point in usable])
        self._put(usable, older)

    def set_facts(self, key: ProductKey, facts: Payload, *, image: str | None = None) -> None:
        """Merge `facts` into the payload of those points of a product, or of the one with a picture, that are older."""
        usable = storable_facts(facts)
        wanted = in_dialect(with_image(of_product(key, older_than=version_of(usable)), image), ServerDialect())
        self._index_numbers([usable])
        self._server.ask(
            lambda client: client.set_payload(
                self._collection, usable, points=wanted, wait=True, ordering=self._server.ordering
            )
        )

    def bury(self, tombstones: Sequence[Tombstone]) -> None:
        """Put tombstones in the place of these points, unless what is there is newer."""
        self._put(tombstone_points(tombstones, self._space.dimension, time.time()), not_newer)

    def purge_tombstones(self, before: datetime) -> None:
        """Remove tombstones put before a moment."""
        gone = models.FilterSelector(filter=in_dialect(buried(before.timestamp()), ServerDialect()))
        self._server.ask(
            lambda client: client.delete(self._collection, gone, wait=True, ordering=self._server.ordering)
        )

    def images_of(self, keys: Collection[ProductKey]) -> Mapping[ProductKey, set[str]]:
        """The content hashes of each product's points, by product; of one that has none, an empty set."""
        found: dict[ProductKey, set[str]] = {key: set() for key in keys}
        for merchant, names in merchants_of(found, SCROLL_POINTS):
            for record in self._scrolled(
                of_products(merchant, names), ["product_id", "image"], vectors=False, page=SCROLL_POINTS
            ):
                if record.payload:
                    found[ProductKey(merchant, record.payload["product_id"])].add(record.payload["image"])
        return found

    def vectors_of(self, key: ProductKey) -> Mapping[str, Vector]:
        """Content hash -> vector of a product's points."""
        records = self._scrolled(of_product(key), ["image"], vectors=True, page=SCROLL_POINTS)
        return {record.payload["image"]: vector_of(record) for record in records if record.payload}

    def vectors_by_content(self, content_hashes: Sequence[str]) -> Mapping[str, Vector]:
        """Content hash -> vector of any one point that shows it. One request for all; each stops at the first point."""
        wanted, found = list(dict.fromkeys(content_hashes)), dict[str, Vector]()
        for start in range(0, len(wanted), BATCH_POINTS):
            batch = wanted[start : start + BATCH_POINTS]
            for content_hash, response in zip(batch, self._any_of(batch), strict=True):
                found.update((content_hash, vector_of(point)) for point in response.points)
        return found

    def snapshot(self, folder: Path) -> None:
        """Copy all points to a new folder. The server's own snapshots would stay on the server."""
        snapshot_points(self, folder)

    def count(self, merchant: str | None = None) -> int:
        """How many points there are, of one merchant or in all."""
        wanted = Filter(must_not=(buried(),)) if merchant is None else of_merchant(merchant, Filter())
        return self._count(wanted)

    def flush(self) -> None:
        """Nothing is left to do: each write was answered when it stood in the server's write-ahead log."""
        self._server.usable()

    def close(self) -> None:
        """Close the connections; the store cannot be used afterwards."""
        self._server.close()

    def _any_of(self, content_hashes: Sequence[str]) -> list[models.QueryResponse]:
        requests = [
            models.QueryRequest(
                filter=in_dialect(of_content(content_hash), ServerDialect()), limit=1, with_vector=[VECTOR_NAME]
            )
            for content_hash in content_hashes
        ]
        return self._server.ask(
            lambda client: client.query_batch_points(self._collection, requests, consistency=self._server.read_from)
        )

    def _index_numbers(self, payloads: Sequence[Payload]) -> None:
        """An index for each attribute that is a number; the server makes it beside its other work."""
        fields = number_fields(payloads)
        if fields <= self._number_fields:
            return
        self._number_fields |= number_indexes(self._server, self._collection)  # another process' too
        for field in unmet(fields, self._number_fields):
            index_number(self._server, self._collection, field)
            self._number_fields.add(field)

    def _put(self, points: Sequence[Point], replaceable: Callable[[int], Filter]) -> None:
        """Insert, or replace what the filter for the point's version admits."""
        in_order = [point for group in by_version(points).values() for point in group]
        for start in range(0, len(in_order), BATCH_POINTS):
            self._update(
                [
                    _upsertion(group, in_dialect(replaceable(version), ServerDialect()))
                    for version, group in by_version(in_order[start : start + BATCH_POINTS]).items()
                ]
            )

    def _update(self, operations: Sequence[models.UpdateOperation]) -> None:
        self._server.ask(
            lambda client: client.batch_update_points(
                self._collection, operations, wait=True, ordering=self._server.ordering
            )
        )


def _upsertion(points: Sequence[Point], condition: models.Filter) -> models.UpsertOperation:
    return models.UpsertOperation(
        upsert=models.PointsList(
            points=[
                models.PointStruct(
                    id=point.point_id, vector={VECTOR_NAME: point.vector.tolist()}, payload=point.payload
                )
                for point in points
            ],
            update_filter=condition,
        )
    )
