"""Engines a shop would pick instead for one machine: LanceDB, Chroma, qdrant-client's own, with their own filters.

They find pictures, so the best products are formed of their answers here: 40 pictures are asked for, four times as many
while they are of too few products. The facts of what is found are read with it. A category is compared by equality and
no merchant is asked for, which is less than our own store does.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from qdrant_client import QdrantClient, models

from backend.domain.picture import Vector
from benchmarks.search_data import Catalog, chunks, product_id
from benchmarks.search_engines import DEFAULT, Setting
from benchmarks.search_questions import WANTED_PRODUCTS, Wanted

FACTS = ("product_id", "title", "category", "brand", "price", "in_stock")


class Lance:
    """LanceDB: a vector index, and scalar indexes for every fact that is filtered by.

    `exact` leaves the vector index out: behind a narrow filter that is LanceDB's fastest way.
    """

    name: ClassVar[str] = "lancedb"
    settings: ClassVar[Sequence[Setting]] = (
        *({"ef": ef, "refine": refine} for ef in (64, 128, 256, 512) for refine in (1, 2)),
        {"exact": 1},
    )

    def __init__(self, catalog: Catalog, folder: Path) -> None:
        self._catalog, self._folder = catalog, folder

    def fill(self) -> None:
        import lancedb
        import pyarrow as pa

        dimension = self._catalog.vectors.shape[1]

        def batches() -> Iterator[Any]:
            for facts, vectors in _rows(self._catalog):
                flat = pa.array(np.ascontiguousarray(vectors).reshape(-1), pa.float32())
                column = pa.FixedSizeListArray.from_arrays(flat, dimension)
                yield pa.RecordBatch.from_arrays(
                    [*(pa.array(facts[name]) for name in FACTS), column], names=[*FACTS, "vector"]
                )

        first = next(batches()).schema
        reader = pa.RecordBatchReader.from_batches(first, batches())
        lancedb.connect(self._folder).create_table("products", reader)

    def finish(self) -> None:
        from lancedb.index import Bitmap, BTree, HnswSq

        self.open()
        for name in ("in_stock", "category"):
            self._table.create_index(name, config=Bitmap())
        for name in ("brand", "price"):
            self._table.create_index(name, config=BTree())
        self._table.create_index("vector", config=HnswSq(distance_type="cosine", num_partitions=1))
        self._table.optimize()

    def open(self) -> None:
        import lancedb

        self._table = lancedb.connect(self._folder).open_table("products")

    def find(self, vector: Vector, wanted: Wanted, setting: Setting, /) -> list[str]:
        def pictures(number: int) -> Sequence[str]:
            query = self._table.search(vector).distance_type("cosine").select([*FACTS, "_distance"]).limit(number)
            if condition := _sql(wanted):
                query = query.where(condition, prefilter=True)
            if setting.get("exact"):
                query = query.bypass_vector_index()
            else:
                query = query.ef(max(setting["ef"], number * setting["refine"])).refine_factor(setting["refine"])
            found: list[str] = query.to_arrow()["product_id"].to_pylist()
            return found

        return _products(pictures)

    def close(self) -> None:
        """Nothing is held open."""


class Chroma:
    """Chroma, which keeps one graph of all vectors and reads metadata from SQLite."""

    name: ClassVar[str] = "chroma"
    settings: ClassVar[Sequence[Setting]] = tuple({"ef_search": ef} for ef in (40, 100, 200, 400, 1_000))

    def __init__(self, catalog: Catalog, folder: Path) -> None:
        self._catalog, self._folder = catalog, folder
        self._setting = DEFAULT

    def fill(self) -> None:
        client = self._client()
        configuration = {"hnsw": {"space": "cosine", "ef_construction": 200, "max_neighbors": 16}}
        collection = client.create_collection("products", configuration=configuration, embedding_function=None)
        number, step = 0, client.get_max_batch_size()
        for facts, vectors in _rows(self._catalog, step):
            ids = [str(number + row) for row in range(len(vectors))]
            collection.add(ids=ids, embeddings=np.ascontiguousarray(vectors), metadatas=_as_dicts(facts))
            number += len(vectors)

    def finish(self) -> None:
        """The graph was built while pictures were added."""

    def open(self) -> None:
        self._collection = self._client().get_collection("products", embedding_function=None)

    def find(self, vector: Vector, wanted: Wanted, setting: Setting, /) -> list[str]:
        if setting != self._setting:
            self._collection.modify(configuration={"hnsw": {"ef_search": setting["ef_search"]}})
            self._setting = setting

        def pictures(number: int) -> Sequence[str]:
            found = self._collection.query(
                query_embeddings=[vector], n_results=number, where=_where(wanted), include=["metadatas"]
            )
            return [str(facts["product_id"]) for facts in found["metadatas"][0]]

        return _products(pictures)

    def close(self) -> None:
        """It is closed with the process."""

    def _client(self) -> Any:
        import chromadb

        return chromadb.PersistentClient(str(self._folder), chromadb.Settings(anonymized_telemetry=False))


class QdrantLocal:
    """qdrant-client's in-process mode on disk: exact, in numpy, and meant for tests."""

    name: ClassVar[str] = "qdrant-client"
    settings: ClassVar[Sequence[Setting]] = (DEFAULT,)

    def __init__(self, catalog: Catalog, folder: Path) -> None:
        self._catalog, self._folder = catalog, folder

    def fill(self) -> None:
        client, number = QdrantClient(path=str(self._folder)), 0
        dimension = self._catalog.vectors.shape[1]
        client.create_collection(
            "products", vectors_config=models.VectorParams(size=dimension, distance=models.Distance.COSINE)
        )
        for facts, vectors in _rows(self._catalog, 1_000):
            ids = list(range(number, number + len(vectors)))
            client.upsert("products", models.Batch(ids=ids, vectors=vectors.tolist(), payloads=_as_dicts(facts)))
            number += len(vectors)
        client.close()

    def finish(self) -> None:
        """It has no index."""

    def open(self) -> None:
        self._client = QdrantClient(path=str(self._folder))

    def find(self, vector: Vector, wanted: Wanted, _setting: Setting, /) -> list[str]:
        condition = _filter(wanted)

        def pictures(number: int) -> Sequence[str]:
            found = self._client.query_points("products", vector, query_filter=condition, limit=number)
            return [str(point.payload["product_id"]) for point in found.points if point.payload]

        return _products(pictures)

    def close(self) -> None:
        self._client.close()


def _products(pictures: Callable[[int], Sequence[str]]) -> list[str]:
    """The first ten products of the pictures found."""
    number = 4 * WANTED_PRODUCTS
    while True:
        found = pictures(number)
        products = list(dict.fromkeys(found))
        if len(products) >= WANTED_PRODUCTS or len(found) < number:
            return products[:WANTED_PRODUCTS]
        number *= 4


def _rows(catalog: Catalog, size: int = 10_000) -> Iterator[tuple[dict[str, Any], Any]]:
    """Facts as columns and vectors, `size` pictures at a time."""
    owners = catalog.owners()
    for part in chunks(len(owners), size):
        of = owners[part]
        columns = {name: getattr(catalog, name)[of] for name in FACTS if name != "product_id"}
        yield {"product_id": np.array([product_id(number) for number in of]), **columns}, catalog.vectors[part]


def _as_dicts(facts: dict[str, Any]) -> list[dict[str, Any]]:
    columns = [facts[name].tolist() for name in FACTS]
    return [dict(zip(FACTS, row, strict=True)) for row in zip(*columns, strict=True)]


def _filter(wanted: Wanted) -> models.Filter:
    equal = {"in_stock": wanted.in_stock, "category": wanted.category, "brand": wanted.brand}
    must: list[models.Condition] = [
        models.FieldCondition(key=name, match=models.MatchValue(value=value))
        for name, value in equal.items()
        if value is not None
    ]
    if wanted.price is not None:
        low, high = wanted.price
        must.append(models.FieldCondition(key="price", range=models.Range(gte=low, lte=high)))
    return models.Filter(must=must)


def _sql(wanted: Wanted) -> str:
    parts = []
    if wanted.in_stock is not None:
        parts.append(f"in_stock = {str(wanted.in_stock).lower()}")
    if wanted.category is not None:
        parts.append(f"category = '{wanted.category}'")
    if wanted.price is not None:
        parts.append(f"price >= {wanted.price[0]} AND price <= {wanted.price[1]}")
    if wanted.brand is not None:
        parts.append(f"brand = '{wanted.brand}'")
    return " AND ".join(parts)


def _where(wanted: Wanted) -> dict[str, Any] | None:
    parts: list[dict[str, Any]] = []
    if wanted.in_stock is not None:
        parts.append({"in_stock": wanted.in_stock})
    if wanted.category is not None:
        parts.append({"category": wanted.category})
    if wanted.price is not None:
        parts += [{"price": {"$gte": wanted.price[0]}}, {"price": {"$lte": wanted.price[1]}}]
    if wanted.brand is not None:
        parts.append({"brand": wanted.brand})
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else {"$and": parts}
