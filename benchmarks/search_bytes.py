"""What a picture takes on the disk and in memory: `python -m benchmarks.search_bytes`.

The same pictures, with the facts and payload indexes of the product, in shards of the embedded engine that keep vectors
in different ways. Printed in bytes a picture: each part on the disk, and what a process that loads the shard and
searches it 100 times grows by; beside it recall@10 of pictures and processor time, so that what is saved can be
weighed. Codes are searched, and the best four times as many compared by what the vectors are kept as.

The write-ahead log (32 MB, whatever the size) is not counted. A graph's links are the same whatever it leads to.
"""

import argparse
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import qdrant_edge
from qdrant_edge import Distance, EdgeConfig, EdgeVectorParams, Memory, VectorStorageDatatype

from backend.vectors.edge_shard import load_shard, parameters
from backend.vectors.graph_walk import WALK_WIDTH, Way
from backend.vectors.payload import VECTOR_NAME, storable_points
from benchmarks.search import apart
from benchmarks.search_data import made, opened, photographs
from benchmarks.search_engines import points_of
from benchmarks.search_measure import memory_now
from benchmarks.search_questions import asked

SIZE = 20_000
NEAREST = 10
OVERSAMPLING = 4
PARTS = {
    "vectors": ("matrix.dat", "chunk_"),
    "codes": ("quantized.",),
    "graph": ("links", "graph."),
    "facts": ("payload_storage",),
    "indexes of facts": ("payload_index",),
}
"""Part -> what its files' paths hold; the rest are ids and bookkeeping."""


@dataclass(frozen=True)
class Taken:
    """Bytes of each part on the disk, and of memory; recall@10; processor time of a search in ms."""

    disk: Mapping[str, int]
    resident: int
    anonymous: int
    recall: float
    cpu: float


def _ways() -> dict[str, dict[str, Any]]:
    """How vectors may be kept: name -> what differs. Made where it is used: no object of the engine can be sent."""
    turbo = qdrant_edge.TurboQuantQuantizationConfig(bits=qdrant_edge.TurboQuantBitSize.Bits4)
    pinned = qdrant_edge.TurboQuantQuantizationConfig(bits=qdrant_edge.TurboQuantBitSize.Bits4, memory=Memory.Pinned)
    half = VectorStorageDatatype.Float16
    return {
        "float32": {},
        "float16": {"datatype": half},
        "float32 + int8 codes": {
            "codes": qdrant_edge.ScalarQuantizationConfig(qdrant_edge.ScalarType.Int8, quantile=0.99)
        },
        "float32 + 4-bit codes (ours)": {"codes": turbo},
        "float32 + 1-bit codes": {"codes": qdrant_edge.BinaryQuantizationConfig()},
        "float16 + 4-bit codes": {"codes": turbo, "datatype": half},
        "float32 on disk + 4-bit codes": {"codes": pinned, "memory": Memory.Cold},
        "float32 + 4-bit codes + graph (ours)": {"codes": turbo, "links": 16},
    }


def build(way: str, data: Path, folder: Path) -> dict[str, int]:
    """A shard with everything in it, optimized; bytes of each part on the disk."""
    wanted, catalog = _ways()[way], opened(data)
    vectors = EdgeVectorParams(
        size=catalog.vectors.shape[1],
        distance=Distance.Cosine,
        datatype=wanted.get("datatype"),
        memory=wanted.get("memory"),
    )
    config = EdgeConfig(
        vectors={VECTOR_NAME: vectors},
        hnsw_config=qdrant_edge.HnswIndexConfig(wanted.get("links", 0), 100, 100),
        quantization_config=wanted.get("codes"),
        optimizers=qdrant_edge.EdgeOptimizersConfig(indexing_threshold=1_000, default_segment_number=1),
    )
    folder.mkdir(parents=True)
    qdrant_edge.EdgeShard.create(str(folder), config).close()
    shard = load_shard(folder)  # with the product's payload indexes
    bounds = catalog.bounds
    for number in range(catalog.products):
        points = storable_points(points_of(catalog, number, bounds), catalog.vectors.shape[1])
        batch = [qdrant_edge.Point(p.point_id, {VECTOR_NAME: p.vector.tolist()}, p.payload) for p in points]
        shard.update(qdrant_edge.UpdateOperation.upsert_points(batch))
    while shard.optimize():
        pass
    shard.flush()
    shard.close()
    return _on_disk(folder / "segments")


def _on_disk(folder: Path) -> dict[str, int]:
    taken = dict.fromkeys((*PARTS, "ids and the rest"), 0)
    for file in folder.rglob("*"):
        if file.is_file():
            path = str(file.relative_to(folder))
            part = next((name for name, signs in PARTS.items() if any(sign in path for sign in signs)), None)
            taken[part or "ids and the rest"] += file.stat().st_blocks * 512
    return taken


def search(data: Path, folder: Path, queries: np.ndarray[Any, np.dtype[np.float32]]) -> tuple[int, int, float, float]:
    """Resident and anonymous bytes that loading and searching take, recall@10 of pictures, processor ms a search."""
    before = memory_now()
    shard = load_shard(folder)
    begun, answers = time.process_time(), []
    for vector in queries:
        array: Any = vector
        request = qdrant_edge.QueryRequest(
            query=qdrant_edge.Query.Nearest(array, using=VECTOR_NAME),
            limit=NEAREST,
            with_payload=["image", "title", "price"],
            params=parameters(Way.WALK, NEAREST, OVERSAMPLING * NEAREST, WALK_WIDTH),
        )
        answers.append([int(str((point.payload or {})["image"]), 16) for point in shard.query(request)])
    cpu = (time.process_time() - begun) * 1e3 / len(queries)
    after = memory_now()
    scores = opened(data).vectors @ queries.T
    best = np.argsort(-scores, axis=0)[:NEAREST].T
    recall = np.mean([len(set(found) & set(right.tolist())) for found, right in zip(answers, best, strict=True)])
    return after[0] - before[0], after[1] - before[1], float(recall) / NEAREST, cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=SIZE, help="pictures")
    parser.add_argument("--cache", type=Path, help="keep the photographs' embeddings here and use them again")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="search-bytes-") as scratch:
        base, data = photographs(given.cache or Path(scratch)), Path(scratch) / "data"
        catalog = made(base, given.size, data)
        queries = asked(base, catalog, data / "scores.npy", 50).vectors
        pictures = len(catalog.vectors)
        print(f"{pictures} pictures of {catalog.products} products; bytes a picture")
        for way in _ways():
            folder = Path(scratch) / "shard" / way.replace(" ", "_")
            disk = apart(build, way, data, folder)
            taken = Taken(disk, *apart(search, data, folder, queries))
            _print(way, taken, pictures)


def _print(way: str, taken: Taken, pictures: int) -> None:
    parts = "  ".join(f"{name} {size / pictures:.0f}" for name, size in taken.disk.items() if size / pictures >= 1)
    print(
        f"  {way:38} disk {sum(taken.disk.values()) / pictures:5.0f} ({parts})\n"
        f"  {'':38} memory {taken.resident / pictures:5.0f}, {taken.anonymous / pictures:.0f} of it not a file's;"
        f" recall@10 {taken.recall:.3f}; {taken.cpu:.2f} ms of processor time a search",
        flush=True,
    )


if __name__ == "__main__":
    main()
