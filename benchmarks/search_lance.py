"""LanceDB as an engine to be measured."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from backend.domain.picture import Vector
from benchmarks.search_data import Catalog
from benchmarks.search_engines import Setting, Task
from benchmarks.search_questions import Wanted
from benchmarks.search_rivals import FACTS, products_of, rows_of
from benchmarks.search_tasks import DEEP, DEEP_PAGE, HYBRID, WORDS


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
            for facts, vectors in rows_of(self._catalog):
                flat = pa.array(np.ascontiguousarray(vectors).reshape(-1), pa.float32())
                column = pa.FixedSizeListArray.from_arrays(flat, dimension)
                yield pa.RecordBatch.from_arrays(
                    [*(pa.array(facts[name]) for name in FACTS), column], names=[*FACTS, "vector"]
                )

        first = next(batches()).schema
        reader = pa.RecordBatchReader.from_batches(first, batches())
        lancedb.connect(self._folder).create_table("products", reader)

    def finish(self) -> None:
        from lancedb.index import FTS, Bitmap, BTree, HnswSq

        self.open()
        for name in ("in_stock", "category", "colour"):
            self._table.create_index(name, config=Bitmap())
        for name in ("brand", "price"):
            self._table.create_index(name, config=BTree())
        self._table.create_index("title", config=FTS(stem=False, remove_stop_words=False))
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
            return _ids(query)

        return products_of(pictures)

    def tasks(self) -> Mapping[str, Task]:
        """BM25 over titles; reciprocal ranks for both, its default. It counts nothing by value."""
        columns = [*FACTS, "_score"]

        def worded(_: Vector, text: str, __: Wanted) -> int:
            query = self._table.search(text, query_type="fts").select(columns)
            return len(products_of(lambda number: _ids(query.limit(number))))

        def hybrid(vector: Vector, text: str, _: Wanted) -> int:
            query = self._table.search(query_type="hybrid").vector(vector).text(text).distance_type("cosine").ef(256)
            return len(products_of(lambda number: _ids(query.limit(number))))

        def deep(vector: Vector, _: str, __: Wanted) -> int:
            query = self._table.search(vector).distance_type("cosine").select([*FACTS, "_distance"])
            return len(products_of(lambda number: _ids(query.limit(number).ef(number)), DEEP))

        return {WORDS: worded, HYBRID: hybrid, DEEP_PAGE: deep}

    def close(self) -> None:
        """Nothing is held open."""


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
    if wanted.colour is not None:
        parts.append(f"colour = '{wanted.colour}'")
    return " AND ".join(parts)


def _ids(query: Any) -> list[str]:
    found: list[str] = query.to_arrow()["product_id"].to_pylist()
    return found
