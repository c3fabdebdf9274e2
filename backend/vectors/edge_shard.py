"""The engine's side of the embedded index: how a shard is made, loaded and asked. Measured with Qdrant Edge 0.9."""

import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import qdrant_edge

from backend import errors
from backend.vectors.edge_copy import read_through
from backend.vectors.graph_walk import LINKED_FIELDS, Way
from backend.vectors.numbers import PREFIX as NUMBERS
from backend.vectors.payload import (
    FLOAT_FIELDS,
    INTEGER_FIELDS,
    KEYWORD_FIELDS,
    MATCHED_FIELDS,
    TEXT_FIELDS,
    VECTOR_NAME,
)

log = logging.getLogger(__name__)

INDEXED_KB = 10_000
"""A segment whose vectors take less is not optimized: 5,000 points of 512 dimensions, as the engine has it."""
GRAPH_LINKS = 16
GRAPH_BUILD_WIDTH = 100
INDEX_MEMORY = VECTOR_MEMORY = qdrant_edge.Memory.Cold
CODE_MEMORY = qdrant_edge.Memory.Cached
"""What finished segments hold is read where it lies, in the system's cache (`Cached` is mapped at once besides).
By the engine's defaults codes and payload indexes are copied into memory of the process's own when a shard is loaded,
and vectors are mapped page by page, for all of which the process stands still. Of codes and vectors no search was
faster for it; of indexes those are copied all the same that the next lines name."""
CHECKED_MEMORY = qdrant_edge.Memory.Pinned
CHECKED_FIELDS = frozenset({"in_stock", "attribute_terms"})
"""What is looked up point by point, on a walk or for each point that another condition leaves, and is soon copied into
memory of the process: 0.02 to 0.07 s each for 300,000 points. There a walk by stock takes two thirds of the time.
Categories (0.12 s) and prices (0.28 s) would double the time for which a shard that is taken over stops everything; by
shelves (`backend.domain.shelves`) few of them have to be looked up."""
LARGEST_SEGMENT_KB = 1 << 40
FLOAT_BYTES = 4
CLOSING_SECONDS = 10.0
PIECE_SECONDS = 0.1
"""Between two pieces of a shard that is discarded. Who asked it before it was replaced has an answer by then."""


def asked(call: Callable[..., Any], *arguments: Any) -> Any:
    """Call the engine. Whatever goes wrong in it is raised as `IndexUnavailable`.

    On damaged data the engine raises a PanicException, which is a BaseException and would pass every `except Exception`
    on its way out of a worker's loop.
    """
    try:
        return call(*arguments)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as err:
        raise errors.IndexUnavailable(f"The embedded index failed: {err}") from err


def create_shard(folder: Path, dimension: int) -> None:
    """Make an empty shard, whole or not at all: a process ended half-way leaves nothing at `folder`."""
    draft = folder.with_name(f"{folder.name}.new")
    try:
        shutil.rmtree(draft, ignore_errors=True)  # left by a process that was ended here
        draft.mkdir(parents=True)
        asked(asked(qdrant_edge.EdgeShard.create, str(draft), flat_config(dimension)).close)
        draft.rename(folder)
    except OSError as err:
        raise errors.IndexUnavailable(f"The embedded index cannot be created at {folder}: {err}") from err


def load_shard(folder: Path) -> qdrant_edge.EdgeShard:
    """Load a shard, replaying what was written since its last flush, with all payload indexes.

    Raises `DataDirectoryInUse` when a process holds it (this one included), `IndexUnavailable` when it is damaged.
    """
    read_through(folder)
    begun = time.monotonic()
    try:
        shard: qdrant_edge.EdgeShard = asked(qdrant_edge.EdgeShard.load, str(folder))
    except errors.IndexUnavailable as err:
        if "WouldBlock" in err.detail:  # the lock on the write-ahead log; the engine has no error class for it
            raise errors.DataDirectoryInUse(f"Another process has the index at {folder} open.") from err
        detail = f"{err.detail}. If this stays, remove {folder.parent} and build the index anew."
        raise errors.IndexUnavailable(detail) from err
    log.info("The engine loaded the index in %.2f s; nothing else in this process ran.", time.monotonic() - begun)
    _index_payload(shard)
    return shard


def close_shard(shard: qdrant_edge.EdgeShard) -> None:
    """Let go of a shard, after the calls under way in other threads. Raises `IndexUnavailable`.

    The engine refuses to be closed ("Already borrowed") during another call, and such a call lets go of Python's lock
    in between, where it makes Python's own objects.
    """
    deadline = time.monotonic() + CLOSING_SECONDS
    while True:
        try:
            asked(shard.close)
        except errors.IndexUnavailable as err:
            if "borrowed" not in err.detail or time.monotonic() > deadline:
                raise
            time.sleep(0.001)
        else:
            return


def discard_shard(shard: qdrant_edge.EdgeShard) -> None:
    """Let go of a shard whose folder is not used any more, without its indexes: piece by piece, the others served in
    between. At once, what the engine holds of 300,000 points stops everything for 0.6 s. Raises `IndexUnavailable`.
    """
    try:
        for name in asked(shard.info).payload_schema:
            time.sleep(PIECE_SECONDS)
            asked(shard.update, asked(qdrant_edge.UpdateOperation.delete_field_index, name))
    finally:
        close_shard(shard)


def parameters(way: Way, number: int, candidates: int, width: int) -> qdrant_edge.SearchParams:
    """Search parameters: the best of `candidates` by 4-bit codes, then the best `number` of these by whole vectors.

    Rescoring has to be asked for: without it nothing is rescored, and scores are off by up to 0.015. A graph is walked
    at least `width` wide: what a walk misses, no code brings back.
    """
    if way is Way.WHOLE:
        return qdrant_edge.SearchParams(exact=True, quantization=qdrant_edge.QuantizationSearchParams(ignore=True))
    return qdrant_edge.SearchParams(
        hnsw_ef=max(width, candidates),
        quantization=qdrant_edge.QuantizationSearchParams(rescore=True, oversampling=candidates / number),
        acorn=qdrant_edge.AcornSearchParams(enable=True) if way is Way.FAR_WALK else None,
    )


def optimize(shard: qdrant_edge.EdgeShard) -> bool:
    """Merge segments, drop deleted points, make the payload indexes compact; whether there was anything to be done.

    The whole process stands still meanwhile. Returns at once when too little has changed. An error is logged and no
    more: nothing is lost by an index as it was.
    """
    try:
        optimized: bool = asked(shard.optimize)
        if optimized:
            asked(shard.flush)  # only now are the merged segments' files removed
            log.info("The embedded index was optimized.")
    except errors.IndexUnavailable:
        log.exception("The embedded index could not be optimized; it is served as it is.")
        return False
    return optimized


def flat_config(dimension: int, indexed_kb: int = INDEXED_KB) -> qdrant_edge.EdgeConfig:
    """No graph (m = 0): brute force over 4-bit codes is exact with filters and needs no build that stops the process.

    4-bit TurboQuant codes (arXiv:2504.19874) also work on points that were never optimized; int8 codes do not. The
    write-ahead log stays on, as it is by default: without it there is no lock and nothing survives a killed process.
    """
    return _config(dimension, indexed_kb, qdrant_edge.HnswIndexConfig(0, 100, 10_000))


def graph_config(dimension: int, indexed_kb: int, scan_points: int, parts: int) -> qdrant_edge.EdgeConfig:
    """An HNSW graph (arXiv:1603.09320) over the same codes, walked by searches that admit more than `scan_points`.

    A filter that keeps fewer is searched by brute force over what it keeps, which is exact. That is where graphs fail:
    what a category keeps lies together and mostly far from the query, and the walk ends before it is there. `parts`: as
    many segments as stay apart, see `backend.vectors.edge_parts`.
    """
    scan_kb = scan_points * dimension * FLOAT_BYTES // 1024
    graph = qdrant_edge.HnswIndexConfig(GRAPH_LINKS, GRAPH_BUILD_WIDTH, scan_kb)
    return _config(dimension, indexed_kb, graph, segments=parts + 1)  # and the one that is written to


def number_index(field: str) -> qdrant_edge.UpdateOperation:
    """Makes an index of an attribute's numbers: 0.05 ms a point, in which the process stands still."""
    parameters = qdrant_edge.FloatIndexParams(enable_hnsw=False, memory=INDEX_MEMORY)
    operation: qdrant_edge.UpdateOperation = asked(qdrant_edge.UpdateOperation.create_field_index, field, parameters)
    return operation


def number_indexes(shard: qdrant_edge.EdgeShard) -> set[str]:
    """The attributes that have one."""
    return {name for name in asked(shard.info).payload_schema if name.startswith(NUMBERS)}


def _config(
    dimension: int, indexed_kb: int, graph: qdrant_edge.HnswIndexConfig, segments: int | None = None
) -> qdrant_edge.EdgeConfig:
    return qdrant_edge.EdgeConfig(
        vectors={
            VECTOR_NAME: qdrant_edge.EdgeVectorParams(
                size=dimension, distance=qdrant_edge.Distance.Cosine, memory=VECTOR_MEMORY
            )
        },
        hnsw_config=graph,
        quantization_config=qdrant_edge.TurboQuantQuantizationConfig(
            bits=qdrant_edge.TurboQuantBitSize.Bits4, memory=CODE_MEMORY
        ),
        optimizers=qdrant_edge.EdgeOptimizersConfig(
            indexing_threshold=indexed_kb,
            default_segment_number=segments,
            # Or the engine would leave more of them where they are large, by the number of its cores.
            max_segment_size=LARGEST_SEGMENT_KB if segments else None,
        ),
    )


def _index_payload(shard: qdrant_edge.EdgeShard) -> None:
    """Create the payload indexes that are missing."""
    present = asked(shard.info).payload_schema
    for name, parameters in _wanted_indexes().items():
        if name not in present:
            asked(shard.update, qdrant_edge.UpdateOperation.create_field_index(name, parameters))


def _wanted_indexes() -> dict[str, Any]:
    """`enable_hnsw`: a graph, where there is one, has links within each frequent value. Each such field costs time."""

    def general(name: str) -> dict[str, Any]:
        memory = CHECKED_MEMORY if name in CHECKED_FIELDS else INDEX_MEMORY
        return {"enable_hnsw": name in LINKED_FIELDS, "memory": memory}

    return {
        **{name: qdrant_edge.KeywordIndexParams(**general(name)) for name in KEYWORD_FIELDS},
        **{
            # One or the other: each is an index of its own, to be loaded.
            name: qdrant_edge.IntegerIndexParams(
                lookup=name in MATCHED_FIELDS, range=name not in MATCHED_FIELDS, **general(name)
            )
            for name in INTEGER_FIELDS
        },
        **{name: qdrant_edge.FloatIndexParams(**general(name)) for name in FLOAT_FIELDS},
        # The engine's own tokens: our texts are words in one form already, with spaces between. BM25 reads `scoring`.
        **{name: qdrant_edge.TextIndexParams(scoring=True, **general(name)) for name in TEXT_FIELDS},
    }
