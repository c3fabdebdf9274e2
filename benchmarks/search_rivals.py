"""Engines a shop would pick instead for one machine: Chroma and qdrant-client's own here, LanceDB in `search_lance`.

They find pictures, so the best products are formed of their answers here: 40 pictures are asked for, four times as many
while they are of too few products. The facts of what is found are read with it. A category is compared by equality and
no merchant is asked for, which is less than our own store does.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from qdrant_client import QdrantClient, models

from backend.domain.picture import Vector
from benchmarks.search_data import Catalog, chunks, product_id
from benchmarks.search_engines import DEFAULT, Setting, Task
from benchmarks.search_questions import WANTED_PRODUCTS, Wanted
from benchmarks.search_tasks import DEEP, DEEP_PAGE, WORDS

FACTS = ("product_id", "title", "category", "colour", "brand", "price", "in_stock")


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
        for facts, vectors in rows_of(self._catalog, step):
            ids = [str(number + row) for row in range(len(vectors))]
            titles = facts["title"].tolist()
            collection.add(
                ids=ids, documents=titles, embeddings=np.ascontiguousarray(vectors), metadatas=_as_dicts(facts)
            )
            number += len(vectors)

    def finish(self) -> None:
        """The graph was built while pictures were added."""

    def open(self) -> None:
        self._collection = self._client().get_collection("products", embedding_function=None)

    def find(self, vector: Vector, wanted: Wanted, setting: Setting, /) -> list[str]:
        self._set(setting)
        return products_of(lambda number: self._pictures(vector, number, where=_where(wanted)))

    def tasks(self) -> Mapping[str, Task]:
        """Words only as a filter (all of them, as they stand); it neither ranks by them nor counts by value."""

        def worded(vector: Vector, text: str, _: Wanted) -> int:
            said = {"$and": [{"$contains": word} for word in text.split()]}
            return len(products_of(lambda number: self._pictures(vector, number, where_document=said)))

        def deep(vector: Vector, _: str, __: Wanted) -> int:
            return len(products_of(lambda number: self._pictures(vector, number), DEEP))

        self._set(self.settings[-1])
        return {WORDS: worded, DEEP_PAGE: deep}

    def _set(self, setting: Setting) -> None:
        if setting != self._setting:
            self._collection.modify(configuration={"hnsw": {"ef_search": setting["ef_search"]}})
            self._setting = setting

    def _pictures(self, vector: Vector, number: int, **conditions: Any) -> Sequence[str]:
        found = self._collection.query(query_embeddings=[vector], n_results=number, include=["metadatas"], **conditions)
        return [str(facts["product_id"]) for facts in found["metadatas"][0]]

    def close(self) -> None:
        """It is closed with the process."""

    def _client(self) -> Any:
        import chromadb

        return chromadb.PersistentClient(str(self._folder), chromadb.Settings(anonymized_telemetry=False))


class QdrantLocal:
    """qdrant-client's in-process mode in memory: exact, in numpy, and meant for tests."""

    name: ClassVar[str] = "qdrant-client"
    settings: ClassVar[Sequence[Setting]] = (DEFAULT,)

    def __init__(self, catalog: Catalog, _folder: Path) -> None:
        self._catalog = catalog

    def fill(self) -> None:
        """What is in memory is gone with the process: it is filled when it is opened."""

    def finish(self) -> None:
        """It has no index."""

    def open(self) -> None:
        self._client, number = QdrantClient(":memory:"), 0
        size = self._catalog.vectors.shape[1]
        self._client.create_collection(
            "products", vectors_config=models.VectorParams(size=size, distance=models.Distance.COSINE)
        )
        for facts, vectors in rows_of(self._catalog, 1_000):
            ids = list(range(number, number + len(vectors)))
            self._client.upsert("products", models.Batch(ids=ids, vectors=vectors.tolist(), payloads=_as_dicts(facts)))
            number += len(vectors)

    def find(self, vector: Vector, wanted: Wanted, _setting: Setting, /) -> list[str]:
        condition = _filter(wanted)

        def pictures(number: int) -> Sequence[str]:
            found = self._client.query_points("products", vector, query_filter=condition, limit=number)
            return [str(point.payload["product_id"]) for point in found.points if point.payload]

        return products_of(pictures)

    def tasks(self) -> Mapping[str, Task]:
        """It is there to compare searches with."""
        return {}

    def close(self) -> None:
        self._client.close()


def products_of(pictures: Callable[[int], Sequence[str]], wanted: int = WANTED_PRODUCTS) -> list[str]:
    """The first products of the pictures found."""
    number = 4 * wanted
    while True:
        found = pictures(number)
        products = list(dict.fromkeys(found))
        if len(products) >= wanted or len(found) < number:
            return products[:wanted]
        number *= 4


def rows_of(catalog: Catalog, size: int = 10_000) -> Iterator[tuple[dict[str, Any], Any]]:
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
    equal = {"in_stock": wanted.in_stock, "category": wanted.category, "brand": wanted.brand, "colour": wanted.colour}
    must: list[models.Condition] = [
        models.FieldCondition(key=name, match=models.MatchValue(value=value))
        for name, value in equal.items()
        if value is not None
    ]
    if wanted.price is not None:
        low, high = wanted.price
        must.append(models.FieldCondition(key="price", range=models.Range(gte=low, lte=high)))
    return models.Filter(must=must)


def _where(wanted: Wanted) -> dict[str, Any] | None:
    parts: list[dict[str, Any]] = []
    if wanted.in_stock is not None:
        parts.append({"in_stock": wanted.in_stock})
    if wanted.category is not None:
        parts.append({"category": wanted.category})
    if wanted.colour is not None:
        parts.append({"colour": wanted.colour})
    if wanted.price is not None:
        parts += [{"price": {"$gte": wanted.price[0]}}, {"price": {"$lte": wanted.price[1]}}]
    if wanted.brand is not None:
        parts.append({"brand": wanted.brand})
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else {"$and": parts}
