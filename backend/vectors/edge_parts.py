"""A shard's points dealt to several segments of one size, which the engine searches side by side, each on a core.

The engine never divides a segment, and what was written at once is one: a search of 300,000 pictures is done by one
core then, however many there are. So what belongs to other parts is taken out, and put in again when the part before it
is built: each becomes a segment of its own. Ids are hashes, so that every part is a fair sample of every merchant.
"""

import json
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any
from uuid import UUID

import numpy as np
import qdrant_edge

from backend.vectors.edge_shard import asked
from backend.vectors.payload import VECTOR_NAME

PAGE_POINTS = 1_000
PAGES_PER_FLUSH = 5
"""What is not flushed stays in the engine's log, on the disk a second time."""


def is_divided(shard: qdrant_edge.EdgeShard, parts: int) -> bool:
    """Whether it has as many segments as parts, beside the one that is written to."""
    divided: bool = asked(shard.info).segments_count > parts
    return divided


def build_in_parts(shard: qdrant_edge.EdgeShard, parts: int, scratch: Path) -> None:
    """Build its segments anew, one a part. Nobody else may have it open; killed half-way, it lacks points.

    `scratch`: a folder on a disk with room for what is taken out, 3 kB a point at 512 dimensions.
    """
    with tempfile.TemporaryFile(dir=scratch) as kept:
        pages = _take_out(shard, UUID(int=2**128 // parts), kept)
        _built(shard)
        kept.seek(0)
        back = _pages(kept, pages)
        for share in np.array_split(np.arange(pages), parts - 1):
            for number, page in enumerate(islice(back, len(share))):
                asked(shard.update, asked(qdrant_edge.UpdateOperation.upsert_points, page))
                if number % PAGES_PER_FLUSH == 0:
                    asked(shard.flush)
            _built(shard)


def _built(shard: qdrant_edge.EdgeShard) -> None:
    asked(shard.optimize)
    asked(shard.flush)  # only now are the former segments' files removed


def _take_out(shard: qdrant_edge.EdgeShard, first: UUID, kept: IO[bytes]) -> int:
    """Move all points from an id on to a file; how many pages these are."""
    after: Any = str(first)
    pages = 0
    while after is not None:
        request = qdrant_edge.ScrollRequest(
            offset=after, limit=PAGE_POINTS, with_payload=True, with_vector=[VECTOR_NAME]
        )
        records, after = asked(shard.scroll, request)
        if records:
            facts = json.dumps([[str(record.id), record.payload] for record in records]).encode()
            np.save(kept, np.asarray([record.vector[VECTOR_NAME] for record in records], np.float32))
            np.save(kept, np.frombuffer(facts, np.uint8))
            asked(shard.update, asked(qdrant_edge.UpdateOperation.delete_points, [record.id for record in records]))
            pages += 1
    asked(shard.flush)
    return pages


def _pages(kept: IO[bytes], number: int) -> Iterator[list[qdrant_edge.Point]]:
    for _ in range(number):
        vectors = np.load(kept, allow_pickle=False)
        facts = json.loads(np.load(kept, allow_pickle=False).tobytes())
        yield [
            qdrant_edge.Point(id=name, vector={VECTOR_NAME: vector}, payload=payload)
            for (name, payload), vector in zip(facts, vectors, strict=True)
        ]
