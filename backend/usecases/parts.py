"""What the use cases are built over: real parts from `bootstrap`, fakes from tests, wired the same way."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Self

from backend.domain.generation import FIRST
from backend.ports import (
    BlobStore,
    Catalog,
    Clock,
    Doorbell,
    Embedder,
    FetchMemory,
    ImportFiles,
    Indexes,
    Jobs,
    Ledger,
    ManifestReader,
    PictureFetcher,
    PictureReader,
    Receipts,
    VectorStore,
)
from backend.usecases.served_index import ServedIndex


@dataclass(frozen=True)
class Parts:
    """Everything outside that the use cases stand on. `memory`: bytes this process takes. `number`: which generation of
    the index `vectors` is; `embedder` and `model_reason` are its own. `close` lets go of all but the index.
    """

    catalog: Catalog
    ledger: Ledger
    jobs: Jobs
    receipts: Receipts
    indexes: Indexes
    fetch_memory: FetchMemory
    blobs: BlobStore
    files: ImportFiles
    manifests: ManifestReader
    reader: PictureReader
    fetcher: PictureFetcher
    executor: Executor
    embedder: Embedder
    vectors: VectorStore
    doorbell: Doorbell
    clock: Clock
    model_reason: str
    memory: Callable[[], int | None]
    close: Callable[[], None]
    number: int = FIRST

    @property
    def served(self) -> ServedIndex:
        """The index and what belongs to it."""
        return ServedIndex(self.number, self.embedder, self.vectors, self.model_reason)

    def over(self, served: ServedIndex) -> Self:
        """The same over another index."""
        return replace(
            self,
            number=served.number,
            embedder=served.embedder,
            vectors=served.vectors,
            model_reason=served.reason,
        )
