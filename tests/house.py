"""The whole house on fakes: real use cases, real pictures and ZIPs, and everything outside in memory."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from backend.bootstrap import Parts, assemble
from backend.settings import Settings
from tests.fakes.blob_store import FakeBlobs
from tests.fakes.catalog import FakeCatalog
from tests.fakes.doorbell import FakeDoorbell
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.import_files import FakeImportFiles
from tests.fakes.vector_store import FakeVectorStore


class FakeClock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class House:
    """`services` over `catalog` (which is also the ledger and the jobs), `blobs`, `embedder`, `vectors`, `doorbell`."""

    settings: Settings = field(default_factory=Settings)
    clock: FakeClock = field(default_factory=FakeClock)
    blobs: FakeBlobs = field(default_factory=FakeBlobs)
    files: FakeImportFiles = field(default_factory=FakeImportFiles)
    embedder: FakeEmbedder = field(default_factory=FakeEmbedder)
    doorbell: FakeDoorbell = field(default_factory=FakeDoorbell)
    batch: int = 32

    def __post_init__(self) -> None:
        self.catalog = FakeCatalog(self.clock)
        self.vectors = FakeVectorStore(self.embedder.space)
        worker = self.settings.worker.model_copy(update={"batch": self.batch})
        self.services = assemble(
            self.settings.model_copy(update={"worker": worker}),
            Parts(
                catalog=self.catalog,
                ledger=self.catalog,
                jobs=self.catalog,
                blobs=self.blobs,
                files=self.files,
                embedder=self.embedder,
                vectors=self.vectors,
                doorbell=self.doorbell,
                model_reason="a test chose the fake",
                close=self.vectors.close,
            ),
        )

    def work(self) -> int:
        """Do everything that is due: imports, then products. How many products were settled."""
        while self.services.import_products():
            pass
        settled = 0
        while count := self.services.reconcile_products():
            settled += count
        return settled
