"""The whole house on fakes: real use cases, real pictures and ZIPs, and everything outside in memory."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from backend.imaging.limits import PictureLimits
from backend.imaging.reader import PillowReader
from backend.manifests.archive import ZipReader
from backend.settings import Settings
from backend.usecases.delete_product import DeleteProduct
from backend.usecases.import_products import ImportProducts, OpenImport
from backend.usecases.keep_pictures import KeepPictures
from backend.usecases.patch_product import PatchProduct
from backend.usecases.read_job import ReadJob
from backend.usecases.read_product import ReadImage, ReadProduct
from backend.usecases.read_status import ReadStatus
from backend.usecases.reconcile_products import ReconcileProducts
from backend.usecases.search_products import SearchProducts
from backend.usecases.services import Services
from backend.usecases.sweep import Sweep
from backend.usecases.upload_product import UploadProduct
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
        self.services = self._services()

    def work(self) -> int:
        """Do everything that is due: imports, then products. How many products were settled."""
        while self.services.import_products():
            pass
        settled = 0
        while count := self.services.reconcile_products():
            settled += count
        return settled

    def _services(self) -> Services:
        limits, currency = self.settings.limits, self.settings.currency
        reader = PillowReader(PictureLimits(max_bytes=limits.max_image_bytes, max_pixels=limits.max_pixels))
        manifests = ZipReader(max_picture_bytes=limits.max_image_bytes, default_currency=currency)
        keep = KeepPictures(reader, self.blobs, limits.max_pictures)
        catalog, doorbell, vectors, embedder = self.catalog, self.doorbell, self.vectors, self.embedder
        return Services(
            upload_product=UploadProduct(keep, catalog, doorbell),
            patch_product=PatchProduct(catalog, doorbell, currency),
            delete_product=DeleteProduct(catalog, doorbell),
            read_product=ReadProduct(catalog),
            read_image=ReadImage(catalog, self.blobs, reader),
            open_import=OpenImport(manifests, self.files, catalog, doorbell),
            import_products=ImportProducts(manifests, keep, self.files, catalog, doorbell, lease_seconds=60),
            reconcile_products=ReconcileProducts(
                catalog, catalog, self.blobs, reader, embedder, vectors, doorbell, self.batch, lease_seconds=60
            ),
            search_products=SearchProducts(reader, self.blobs, catalog, embedder, vectors),
            read_job=ReadJob(catalog),
            read_status=ReadStatus(catalog, catalog, catalog, doorbell, vectors, "a test chose the fake"),
            sweep=Sweep(catalog, catalog, doorbell, vectors),
            close=vectors.close,
        )
