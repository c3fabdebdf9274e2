"""A Qdrant server's graph under filters: `python -m benchmarks.server_graph [folder] [pictures] [exact below]`.

There is no server here. The embedded engine is the same one, so a shard is made as `server_design` lays a collection
out: one graph a merchant, its links by field, int8 codes with rescoring. It is one segment in one process; a server has
several, and a network before them. Prints the processor's time a query (other work on the machine hardly changes it)
and recall@10 of products, for questions near a picture and for words, by how wide the graph is walked.
"""

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import qdrant_edge
from numpy.typing import NDArray

from backend.domain.payload import product_payload
from backend.vectors.payload import VECTOR_NAME, storable_facts
from backend.vectors.server_design import Design
from benchmarks import search_data

PICTURES = 40_000
QUESTIONS = 60  # of each kind
LINKED_WORDS, LINKED_NUMBERS = ("categories", "brand", "currency"), ("price",)
WAYS: dict[str, dict[str, Any]] = {
    "walk 128": {"hnsw_ef": 128},
    "walk 512": {"hnsw_ef": 512},
    "walk 2048": {"hnsw_ef": 2048},
    "walk 512 + ACORN": {"hnsw_ef": 512, "acorn": qdrant_edge.AcornSearchParams(enable=True)},
    "compare all": {"exact": True},
}
POINTS = 64
"""Points fetched a query: 10 products with up to 4 pictures each, and to spare."""


@dataclass(frozen=True)
class Asked:
    """A class of filters, in the engine's words and as the products it admits."""

    name: str
    conditions: Sequence[Any]
    admits: NDArray[np.bool_]


def main(arguments: Sequence[str]) -> None:
    folder = Path(arguments[0]) if arguments else Path(tempfile.gettempdir()) / "shelfsight-bench-graph"
    pictures = int(arguments[1]) if len(arguments) > 1 else PICTURES
    design = Design(exact_below=int(arguments[2])) if len(arguments) > 2 else Design()
    base = search_data.photographs(folder)
    catalog = search_data.made(base, pictures, folder / f"catalog-{pictures}")
    with tempfile.TemporaryDirectory(prefix="shelfsight-bench-", dir=folder) as scratch:
        shard = built(catalog, Path(scratch) / "shard", design)
        queries, kinds = search_data.asked_vectors(base, catalog, QUESTIONS)
        scores = search_data.product_scores(catalog, queries)
        for asked in classes(catalog):
            print(f"{asked.name}: {asked.admits.mean():.1%} of {catalog.products} products")
            for name, way in WAYS.items():
                measured = measure(shard, catalog, queries, np.where(asked.admits, scores, -2.0), asked, way)
                near, words = (np.mean([hit for hit, kind in zip(measured[1], kinds, strict=True) if kind == one])
                               for one in ("near", "words"))  # fmt: skip
                print(f"  {name:<17} {np.median(measured[0]):6.2f} ms  recall {near:.3f} / {words:.3f}")
        shard.close()


def built(catalog: search_data.Catalog, path: Path, design: Design) -> Any:
    """A shard with its graph."""
    path.mkdir()
    dimension = catalog.vectors.shape[1]
    graph = design.collection(dimension)["hnsw_config"]
    config = qdrant_edge.EdgeConfig(
        vectors={VECTOR_NAME: qdrant_edge.EdgeVectorParams(size=dimension, distance=qdrant_edge.Distance.Cosine)},
        hnsw_config=qdrant_edge.HnswIndexConfig(
            m=graph.m,
            payload_m=graph.payload_m,
            ef_construct=graph.ef_construct,
            full_scan_threshold=graph.full_scan_threshold,
        ),
        quantization_config=qdrant_edge.ScalarQuantizationConfig(
            qdrant_edge.ScalarType.Int8, quantile=0.99, always_ram=True
        ),
    )
    shard = qdrant_edge.EdgeShard.create(str(path), config)
    update = qdrant_edge.UpdateOperation
    indexes: dict[str, Any] = {
        "merchant": qdrant_edge.KeywordIndexParams(is_tenant=True),
        **{name: qdrant_edge.KeywordIndexParams() for name in LINKED_WORDS},
        **{name: qdrant_edge.FloatIndexParams() for name in LINKED_NUMBERS},
        "in_stock": qdrant_edge.IntegerIndexParams(lookup=True, range=True),
    }
    for name, parameters in indexes.items():
        shard.update(update.create_field_index(name, parameters))
    for batch in batches(catalog):
        shard.update(update.upsert_points(batch))
    began = time.process_time()
    shard.optimize()
    shard.flush()
    print(
        f"{len(catalog.vectors)} pictures; the graph took {time.process_time() - began:.0f} s of processor time",
        flush=True,
    )
    return shard


def batches(catalog: search_data.Catalog, size: int = 500) -> Iterator[list[Any]]:
    facts = [storable_facts(product_payload(catalog.product(number), 1)) for number in range(catalog.products)]
    owners = catalog.owners()
    for start in range(0, len(owners), size):
        yield [
            qdrant_edge.Point(int(n), {VECTOR_NAME: np.asarray(catalog.vectors[n]).tolist()}, facts[owners[n]])
            for n in range(start, min(start + size, len(owners)))
        ]


def classes(catalog: search_data.Catalog) -> list[Asked]:
    def field(key: str, **wanted: Any) -> Any:
        return qdrant_edge.FieldCondition(key=key, **wanted)

    def priced(low: float, high: float) -> tuple[Any, NDArray[np.bool_]]:
        least, most = np.quantile(catalog.price, [low, high])
        wanted = field("price", range=qdrant_edge.RangeFloat(gte=float(least), lte=float(most)))
        return wanted, (catalog.price >= least) & (catalog.price <= most)

    names, counts = np.unique(catalog.category, return_counts=True)
    leaf = str(names[np.argmin(np.abs(counts / catalog.products - 0.05))])
    stocked, half, tenth = field("in_stock", match=qdrant_edge.MatchValue(1)), priced(0.25, 0.75), priced(0.4, 0.5)
    in_leaf, brand = field("categories", match=qdrant_edge.MatchValue(leaf)), str(catalog.brand[0])
    return [
        Asked("no filter", [], np.ones(catalog.products, bool)),
        Asked("in stock", [stocked], catalog.in_stock),
        Asked("half the prices", [half[0]], half[1]),
        Asked("in stock and half the prices", [stocked, half[0]], catalog.in_stock & half[1]),
        Asked("a tenth of the prices", [tenth[0]], tenth[1]),
        Asked("a category", [in_leaf], catalog.category == leaf),
        Asked("a category and half the prices", [in_leaf, half[0]], (catalog.category == leaf) & half[1]),
        Asked("a brand", [field("brand", match=qdrant_edge.MatchValue(brand))], catalog.brand == brand),
    ]


def measure(
    shard: Any,
    catalog: search_data.Catalog,
    queries: Any,
    scores: NDArray[np.float32],
    asked: Asked,
    way: dict[str, Any],
) -> tuple[list[float], list[float]]:
    """Milliseconds of processor time and recall@10, a question."""
    owners = catalog.owners()
    merchant = qdrant_edge.FieldCondition(key="merchant", match=qdrant_edge.MatchValue(search_data.MERCHANT))
    wanted = qdrant_edge.Filter(must=[merchant, *asked.conditions])
    oversampling = max(1.0, way.get("hnsw_ef", POINTS) / POINTS)
    quantization = qdrant_edge.QuantizationSearchParams(rescore=True, oversampling=oversampling)
    times, recalls = [], []
    for vector, true in zip(queries, scores, strict=True):
        request = qdrant_edge.QueryRequest(
            query=qdrant_edge.Query.Nearest(vector, using=VECTOR_NAME),
            limit=POINTS,
            filter=wanted,
            with_payload=False,
            params=qdrant_edge.SearchParams(quantization=quantization, **way),
        )
        began = time.process_time()
        found = shard.query(request)
        times.append((time.process_time() - began) * 1e3)
        products = list(dict.fromkeys(int(owners[point.id]) for point in found))[:10]
        number = min(10, int(asked.admits.sum()))
        edge = np.partition(true, -number)[-number]
        recalls.append(sum(true[product] >= edge - 1e-6 for product in products) / number)
    return times, recalls


if __name__ == "__main__":
    main(sys.argv[1:])
