"""How a collection on a Qdrant server is laid out: read when it is made. Needs Qdrant 1.20 or later."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from qdrant_client import models

from backend.domain.shelves import FIELD as SHELVES
from backend.vectors.payload import (
    FLOAT_FIELDS,
    INTEGER_FIELDS,
    KEYWORD_FIELDS,
    MATCHED_FIELDS,
    TEXT_FIELDS,
    VECTOR_NAME,
)

Codes: TypeAlias = Literal["none", "int8", "turbo4"]
"""What the graph is walked by instead of whole vectors: nothing, 8-bit integers, or TurboQuant with 4 bits."""

FLOAT_BYTES = 4
UNLINKED_FIELDS = frozenset(
    {"attribute_numbers", "version", "buried_at", "lead", "image", "product_id", SHELVES, *TEXT_FIELDS}
)
"""Fields no nearest-neighbour search filters by, attributes' numbers, whose own indexes have no links either, and
shelves: what is on one is linked by its category and by its price. Each field's values would be linked with one another
in the graph, so that a filter on it finds a way; that is most of the time a graph takes to build."""


@dataclass(frozen=True, slots=True)
class Design:
    """See the settings `stores.qdrant_*`, which say how to choose each."""

    shards: int | None = None
    replicas: int = 1
    write_replicas: int = 1
    vectors_on_disk: bool = False
    codes: Codes = "int8"
    links: int = 16
    build_candidates: int = 100
    exact_below: int = 10_000

    def collection(self, dimension: int) -> dict[str, Any]:
        """The arguments of `create_collection` for unit vectors of a dimension."""
        return {
            "vectors_config": {
                VECTOR_NAME: models.VectorParams(
                    size=dimension, distance=models.Distance.COSINE, on_disk=self.vectors_on_disk
                )
            },
            "hnsw_config": self._graph(dimension),
            "quantization_config": self._codes(),
            "shard_number": self.shards,
            "replication_factor": self.replicas,
            "write_consistency_factor": self.write_replicas,
        }

    def _graph(self, dimension: int) -> models.HnswConfigDiff:
        """Every search names a merchant, so there is one graph a merchant and none over all of them
        (https://qdrant.tech/documentation/guides/multitenancy/).
        """
        return models.HnswConfigDiff(
            m=0,
            payload_m=self.links,
            ef_construct=self.build_candidates,
            # In kilobytes of whole vectors. What a filter leaves is counted before each search: up to here all of it is
            # compared, which is exact, and faster than a walk that has to step over what the filter leaves out.
            full_scan_threshold=max(10, self.exact_below * dimension * FLOAT_BYTES // 1024),
        )

    def _codes(self) -> models.ScalarQuantization | models.TurboQuantization | None:
        """Codes stay in memory, wherever the whole vectors are: a walk reads thousands of them."""
        match self.codes:
            case "int8":
                # Without the outermost percent: one outlier would make the steps between all other values coarser.
                scalar = models.ScalarQuantizationConfig(type=models.ScalarType.INT8, quantile=0.99, always_ram=True)
                return models.ScalarQuantization(scalar=scalar)
            case "turbo4":
                turbo = models.TurboQuantQuantizationConfig(bits=models.TurboQuantBitSize.BITS4, always_ram=True)
                return models.TurboQuantization(turbo=turbo)
            case "none":
                return None


PayloadIndex: TypeAlias = (
    models.KeywordIndexParams | models.IntegerIndexParams | models.FloatIndexParams | models.TextIndexParams
)


def payload_indexes() -> dict[str, PayloadIndex]:
    """Field -> its index. They are made before any point, or the graphs would have to be built again."""
    indexes: dict[str, PayloadIndex] = {}
    for name in KEYWORD_FIELDS:
        indexes[name] = models.KeywordIndexParams(
            type=models.KeywordIndexType.KEYWORD,
            # A merchant's points are kept side by side on the disk, and have their own graph.
            is_tenant=True if name == "merchant" else None,
            enable_hnsw=_linked(name),
        )
    for name in INTEGER_FIELDS:
        indexes[name] = models.IntegerIndexParams(
            type=models.IntegerIndexType.INTEGER,
            lookup=True,
            range=name not in MATCHED_FIELDS,
            enable_hnsw=_linked(name),
        )
    for name in FLOAT_FIELDS:
        indexes[name] = models.FloatIndexParams(type=models.FloatIndexType.FLOAT, enable_hnsw=_linked(name))
    for name in TEXT_FIELDS:
        # The engine's own tokens: our texts are words in one form already, apart by spaces. BM25 reads `scoring`.
        indexes[name] = models.TextIndexParams(
            type=models.TextIndexType.TEXT,
            scoring=models.TextScoringParams(type=models.TextScoringType.BM25),
            enable_hnsw=_linked(name),
        )
    return indexes


def _linked(name: str) -> bool | None:
    """None is the server's own choice, which is to link."""
    return False if name in UNLINKED_FIELDS else None
