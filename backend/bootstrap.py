"""The one place that knows every concrete class: settings -> services.

Heavy adapters are imported where they are built, so that a process that does not embed does not pay for torch.
"""

import logging
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from backend.errors import Misconfigured
from backend.ports import (
    BlobStore,
    Catalog,
    Doorbell,
    Embedder,
    ImportFiles,
    Jobs,
    Ledger,
    Space,
    VectorStore,
)
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

if TYPE_CHECKING:
    from celery import Celery
    from qdrant_client import QdrantClient

    from backend.catalog.jobs import SqlJobs
    from backend.catalog.ledger import SqlLedger
    from backend.catalog.products import SqlCatalog
    from backend.embedding.choice import Choice
    from backend.queueing.doorbell import CeleryDoorbell

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Built:
    """A process's parts: the use cases, and the queue's two ends for the processes that also work."""

    services: Services
    celery: "Celery"
    doorbell: "CeleryDoorbell"


@dataclass(frozen=True)
class Parts:
    """Everything outside that the use cases stand on. `close` flushes and lets go of it."""

    catalog: Catalog
    ledger: Ledger
    jobs: Jobs
    blobs: BlobStore
    files: ImportFiles
    embedder: Embedder
    vectors: VectorStore
    doorbell: Doorbell
    model_reason: str
    close: Callable[[], None]


def build(settings: Settings) -> Built:
    """Everything a process needs, opened and checked against the index. Loads the encoder: seconds, once.

    Raises `Misconfigured` (a person has to act) or `Unavailable` (a part is down).
    """
    from backend.blobs.filesystem import FilesystemBlobs
    from backend.blobs.import_files import FilesystemImportFiles

    catalog, ledger, jobs = _catalog(settings)
    stored = stored_space(settings)
    embedder, choice = _embedder(settings, settings.model, stored)
    log.info("encoder: %s (%s)", choice.model, choice.reason)
    _warm_up(embedder)
    vectors = _vectors(settings, embedder.space, stored, ledger)
    celery, doorbell = _queue(_broker_url(settings))

    def close() -> None:
        vectors.close()
        doorbell.close()

    parts = Parts(
        catalog=catalog,
        ledger=ledger,
        jobs=jobs,
        blobs=FilesystemBlobs(settings.data_dir / "pictures"),
        files=FilesystemImportFiles(settings.data_dir / "imports"),
        embedder=embedder,
        vectors=vectors,
        doorbell=doorbell,
        model_reason=choice.reason,
        close=close,
    )
    return Built(assemble(settings, parts), celery, doorbell)


def stored_space(settings: Settings) -> Space | None:
    """The space the existing index was built for; None when there is no index yet."""
    stores = settings.stores
    if stores.qdrant_url is None:
        from backend.vectors.edge_store import EdgeStore

        return EdgeStore.stored_space(settings.data_dir / "index")
    from backend.vectors.server_store import ServerStore

    with closing(_qdrant_client(settings)) as client:
        return ServerStore.stored_space(client, stores.qdrant_collection)


def chosen_model(settings: Settings) -> "Choice":
    """The encoder a start would use, without loading it. Raises `ModelMismatch`."""
    from backend.embedding.choice import LocalProbes, choose

    return choose(settings.model, stored_space(settings), LocalProbes())


def rebuild_index(settings: Settings, model: str) -> tuple[Space, int]:
    """Replace the index by an empty one for `model` and make every product due; nothing else may run meanwhile.

    The encoder is loaded first, so that a model that cannot be loaded costs nothing. Returns the new space and how many
    products are due.
    """
    _, ledger, _ = _catalog(settings)
    embedder, _ = _embedder(settings, model, None)
    if settings.embedded:
        from backend.vectors.edge_store import EdgeStore

        EdgeStore.remove(settings.data_dir / "index")
    else:
        from backend.vectors.server_store import ServerStore

        with closing(_qdrant_client(settings)) as client:
            ServerStore.remove(client, settings.stores.qdrant_collection)
    _vectors(settings, embedder.space, None, ledger).close()
    return embedder.space, ledger.due()


def _catalog(settings: Settings) -> "tuple[SqlCatalog, SqlLedger, SqlJobs]":
    from backend.catalog.engine import open_engine
    from backend.catalog.jobs import SqlJobs
    from backend.catalog.ledger import SqlLedger
    from backend.catalog.migrations import migrate
    from backend.catalog.products import SqlCatalog

    settings.data_dir.mkdir(parents=True, exist_ok=True)
    engine = open_engine(
        settings.stores.catalog_url or f"sqlite:///{settings.data_dir / 'catalog.db'}",
        connections=settings.server.threads + settings.worker.threads + 2,  # each thread, the sweep, and one to spare
    )
    migrate(engine)
    clock = _now
    return (
        SqlCatalog(engine, clock),
        SqlLedger(engine, clock, max_attempts=settings.worker.max_attempts),
        SqlJobs(engine, clock),
    )


def _embedder(settings: Settings, model: str, stored: Space | None) -> "tuple[Embedder, Choice]":
    from backend.embedding.choice import load_chosen

    return load_chosen(
        model,
        stored,
        cache_dir=settings.data_dir / "model-cache",
        device=settings.device,
        threads=settings.model_threads or None,
    )


def _warm_up(embedder: Embedder) -> None:
    """Pay for lazy loading, first kernels and derived constants here, so that the first user does not."""
    embedder.embed_texts(["warm up"])
    embedder.embed_images([np.full((embedder.picture_side, embedder.picture_side, 3), 128, np.uint8)])


def _vectors(settings: Settings, space: Space, stored: Space | None, ledger: Ledger) -> VectorStore:
    """The index, opened or made. Whatever it lacks is made due, before anything notes that it is there."""
    if stored is None and (due := ledger.mark_all_due()):
        log.warning("the index is new: %d products are due again", due)
    if settings.embedded:
        from backend.vectors.edge_store import EdgeStore

        edge = EdgeStore.open_or_create(settings.data_dir / "index", space)
        if edge.missing_points:
            log.warning("the index lost %d points: %d products are due", edge.missing_points, ledger.mark_all_due())
            edge.accept_loss()
        return edge
    from backend.vectors.server_store import ServerStore

    return ServerStore.open_or_create(_qdrant_client(settings), settings.stores.qdrant_collection, space)


def _qdrant_client(settings: Settings) -> "QdrantClient":
    from backend.vectors.server_collection import connect

    stores = settings.stores
    key = stores.qdrant_api_key.get_secret_value() if stores.qdrant_api_key else None
    return connect(stores.qdrant_url or "", api_key=key, timeout_seconds=stores.qdrant_timeout_seconds)


def _broker_url(settings: Settings) -> str:
    from backend.queueing import private_valkey

    if settings.stores.broker_url is not None:
        return settings.stores.broker_url
    if not settings.embedded:
        raise Misconfigured(
            "a Qdrant server is set but no broker all processes can share: set SHELFSIGHT_STORES__BROKER_URL"
        )
    return private_valkey.broker_url(settings.data_dir / "broker")


def _queue(broker_url: str) -> "tuple[Celery, CeleryDoorbell]":
    from backend.queueing.celery_app import celery_app
    from backend.queueing.doorbell import CeleryDoorbell

    celery = celery_app(broker_url)
    return celery, CeleryDoorbell(celery, broker_url)


def assemble(settings: Settings, parts: Parts) -> Services:
    """The use cases over given parts: real ones here, fakes in tests, wired the same way."""
    from backend.imaging.limits import PictureLimits
    from backend.imaging.reader import PillowReader
    from backend.manifests.archive import ZipReader

    limits, worker = settings.limits, settings.worker
    catalog, ledger, jobs = parts.catalog, parts.ledger, parts.jobs
    blobs, files, embedder, vectors, doorbell = parts.blobs, parts.files, parts.embedder, parts.vectors, parts.doorbell
    reader = PillowReader(
        PictureLimits(
            max_bytes=limits.max_image_bytes,
            max_pixels=limits.max_pixels,
            min_side=limits.min_side,
            max_aspect=limits.max_aspect,
        )
    )
    manifests = ZipReader(max_picture_bytes=limits.max_image_bytes, default_currency=settings.currency)
    keep = KeepPictures(reader, blobs, limits.max_pictures)
    return Services(
        upload_product=UploadProduct(keep, catalog, doorbell),
        patch_product=PatchProduct(catalog, doorbell, settings.currency),
        delete_product=DeleteProduct(catalog, doorbell),
        read_product=ReadProduct(catalog),
        read_image=ReadImage(catalog, blobs, reader),
        open_import=OpenImport(manifests, files, jobs, doorbell),
        import_products=ImportProducts(manifests, keep, files, jobs, doorbell, worker.lease_seconds),
        reconcile_products=ReconcileProducts(
            catalog, ledger, blobs, reader, embedder, vectors, doorbell, worker.batch, worker.lease_seconds
        ),
        search_products=SearchProducts(reader, blobs, catalog, embedder, vectors),
        read_job=ReadJob(jobs),
        read_status=ReadStatus(catalog, ledger, jobs, doorbell, vectors, parts.model_reason),
        sweep=Sweep(ledger, jobs, doorbell, vectors),
        close=parts.close,
    )


def _now() -> datetime:
    return datetime.now(UTC)
