"""The whole house on fakes: real use cases, real pictures and files, and everything outside in memory."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import ParamSpec, TypeVar

from backend.assembly import Assembly
from backend.domain.work import Work
from backend.imaging.limits import PictureLimits
from backend.imaging.reader import PillowReader
from backend.manifests.reader import FileReader
from backend.settings import Settings
from backend.usecases.parts import Parts
from tests.fakes.blob_store import FakeBlobs
from tests.fakes.catalog import FakeCatalog
from tests.fakes.doorbell import FakeDoorbell
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.import_files import FakeImportFiles
from tests.fakes.picture_fetcher import FakePictureFetcher
from tests.fakes.vector_store import FakeVectorStore

P = ParamSpec("P")
T = TypeVar("T")


class FakeClock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class AtOnce(Executor):
    """Does what is submitted before it returns, in the caller's thread."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@dataclass
class House:
    """`services` over `catalog` (ledger, jobs, receipts too), `blobs`, `fetcher`, `embedder`, `vectors`, `doorbell`."""

    settings: Settings = field(default_factory=Settings)
    clock: FakeClock = field(default_factory=FakeClock)
    fetcher: FakePictureFetcher = field(default_factory=FakePictureFetcher)
    embedder: FakeEmbedder = field(default_factory=FakeEmbedder)
    doorbell: FakeDoorbell = field(default_factory=FakeDoorbell)
    batch: int = 32

    def __post_init__(self) -> None:
        seconds = lambda: self.clock().timestamp()  # noqa: E731 - what the fakes' file times go by
        self.blobs = FakeBlobs(seconds)
        self.files = FakeImportFiles(seconds)
        worker = self.settings.worker.model_copy(update={"batch": self.batch})
        self.catalog = FakeCatalog(self.clock, max_attempts=worker.max_attempts, weights=worker.merchant_weights)
        self.vectors = FakeVectorStore(self.embedder.space, seconds)
        limits = self.settings.limits
        self.assembly = Assembly(
            self.settings.model_copy(update={"worker": worker}),
            Parts(
                catalog=self.catalog,
                ledger=self.catalog,
                jobs=self.catalog,
                receipts=self.catalog,
                indexes=self.catalog,
                fetch_memory=self.catalog,
                blobs=self.blobs,
                files=self.files,
                manifests=FileReader(max_picture_bytes=limits.max_image_bytes, default_currency="EUR"),
                reader=PillowReader(
                    PictureLimits(
                        max_bytes=limits.max_image_bytes,
                        max_pixels=limits.max_pixels,
                        min_side=limits.min_side,
                        max_aspect=limits.max_aspect,
                    )
                ),
                fetcher=self.fetcher,
                executor=AtOnce(),
                embedder=self.embedder,
                vectors=self.vectors,
                doorbell=self.doorbell,
                clock=self.clock,
                model_reason="a test chose the fake",
                memory=lambda: 123_000_000,
                close=lambda: None,
            ),
        )
        self.services = self.assembly.services

    def reconcile(self, work: Work = Work.UPLOADS) -> int:
        """One batch."""
        return self.services.reconcile_products(work)

    def work(self) -> int:
        """Do everything that is due: imports, then fetches, then products. How many products were settled."""
        while self.services.import_products():
            pass
        while self.services.fetch_pictures():
            pass
        settled = 0
        while count := sum(self.reconcile(work) for work in Work if work is not Work.FETCH):
            settled += count
        return settled
