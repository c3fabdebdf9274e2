"""The one place that knows every concrete class: settings -> services.

Heavy adapters are imported where they are built, so that a process that does not embed does not pay for torch.
"""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backend.assembly import Parts, assemble
from backend.errors import Misconfigured
from backend.ports import BlobStore, Embedder, ImportFiles, Ledger, Space, VectorStore
from backend.settings import Settings
from backend.usecases.services import Services

if TYPE_CHECKING:
    from celery import Celery

    from backend.blobs.s3_bucket import Bucket
    from backend.catalog.fetch_memory import SqlFetchMemory
    from backend.catalog.jobs import SqlJobs
    from backend.catalog.ledger import SqlLedger
    from backend.catalog.products import SqlCatalog
    from backend.catalog.receipts import SqlReceipts
    from backend.embedding.choice import Choice
    from backend.fetching.http_fetcher import HttpPictureFetcher
    from backend.imaging.isolated import IsolatedReader
    from backend.queueing.doorbell import CeleryDoorbell
    from backend.vectors.edge_store import EdgeStore
    from backend.vectors.server import Server
    from backend.vectors.server_design import Design

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Built:
    """A process's parts: the use cases, and the queue's two ends for the processes that also work."""

    services: Services
    celery: "Celery"
    doorbell: "CeleryDoorbell"


def build(settings: Settings) -> Built:
    """Everything a process needs, opened and checked against the index. Loads the encoder: seconds, once.

    Raises `Misconfigured` (a person has to act) or `Unavailable` (a part is down).
    """
    from backend.embedding.footprint import resident_bytes
    from backend.manifests.reader import FileReader

    truth = _truth(settings)
    stored = stored_space(settings)
    embedder, choice = load_embedder(settings, settings.model, stored)
    log.info("encoder: %s (%s)", choice.model, choice.reason)
    _warm_up(embedder)
    vectors = _vectors(settings, embedder.space, stored, truth.ledger)
    celery, doorbell = _queue(_broker_url(settings))
    kept = _kept(settings)
    reader, fetcher = _reader(settings), _fetcher(settings)
    reader.warm_up()
    executor = ThreadPoolExecutor(settings.worker.fetch_threads * _FETCHES_PER_BATCH, thread_name_prefix="fetch")

    def close() -> None:
        executor.shutdown(wait=False, cancel_futures=True)
        for part in (fetcher, reader, vectors, doorbell, kept):
            part.close()

    parts = Parts(
        catalog=truth.catalog,
        ledger=truth.ledger,
        jobs=truth.jobs,
        receipts=truth.receipts,
        fetch_memory=truth.fetch_memory,
        blobs=kept.blobs,
        files=kept.files,
        manifests=FileReader(
            max_picture_bytes=settings.limits.max_image_bytes,
            default_currency=settings.currency,
            max_pictures=settings.limits.max_pictures,
            max_file_bytes=settings.limits.max_import_bytes,
        ),
        reader=reader,
        fetcher=fetcher,
        executor=executor,
        embedder=embedder,
        vectors=vectors,
        doorbell=doorbell,
        clock=_now,
        model_reason=choice.reason,
        memory=resident_bytes,
        close=close,
    )
    return Built(assemble(settings, parts), celery, doorbell)


@dataclass(frozen=True)
class _Kept:
    """Where bytes live: pictures and files of imports."""

    blobs: BlobStore
    files: ImportFiles
    close: Callable[[], None] = lambda: None


def _kept(settings: Settings) -> _Kept:
    """Raises `Misconfigured` or `BlobsUnavailable` when the S3 store the settings name does not answer well."""
    if settings.stores.blobs_url is not None:
        from backend.blobs.s3 import S3Blobs
        from backend.blobs.s3_import_files import S3ImportFiles

        bucket = _bucket(settings, settings.stores.blobs_url)
        bucket.check()
        return _Kept(S3Blobs(bucket), S3ImportFiles(bucket), bucket.close)
    from backend.blobs.filesystem import FilesystemBlobs
    from backend.blobs.import_files import FilesystemImportFiles

    # Alone on its data directory, this process knows that nobody is in the middle of writing a file there.
    stale_seconds = 0.0 if settings.embedded else _STALE_SECONDS
    return _Kept(
        FilesystemBlobs(settings.data_dir / "pictures", stale_seconds),
        FilesystemImportFiles(settings.data_dir / "imports", stale_seconds),
    )


def _bucket(settings: Settings, url: str) -> "Bucket":
    try:
        from backend.blobs.s3_bucket import Bucket
    except ImportError as err:
        raise Misconfigured("pictures in S3 need boto3: pip install 'shelfsight[s3]'") from err

    threads = settings.server.threads + settings.worker.tasks
    return Bucket(url, endpoint=settings.stores.blobs_endpoint, connections=threads)


def examine_blobs(settings: Settings) -> str:
    """Where pictures are kept, after a look whether they can be. Raises `Misconfigured`, `BlobsUnavailable`."""
    url = settings.stores.blobs_url
    if url is None:
        return str(settings.data_dir / "pictures")
    with closing(_bucket(settings, url)) as bucket:
        bucket.check()
        bucket.check_writing()
    return f"{url} answers and can be written"


_STALE_SECONDS = 3_600.0  # no upload pauses for an hour: a part nobody has written to for so long is dead
_FETCHES_PER_BATCH = 8  # addresses of a batch fetched at once: threads that mostly wait for hosts


def stored_space(settings: Settings) -> Space | None:
    """The space the existing index was built for; None when there is no index yet."""
    stores = settings.stores
    if stores.qdrant_url is None:
        from backend.vectors.edge_store import EdgeStore

        return EdgeStore.stored_space(settings.data_dir / "index")
    from backend.vectors.server_store import ServerStore

    with closing(_qdrant_server(settings)) as server:
        return ServerStore.stored_space(server, stores.qdrant_collection)


def chosen_model(settings: Settings) -> "Choice":
    """The encoder a start would use, without loading it. Raises `ModelMismatch`."""
    from backend.embedding.choice import LocalProbes, choose

    return choose(settings.model, stored_space(settings), LocalProbes())


def rebuild_index(settings: Settings, model: str) -> tuple[Space, int]:
    """Replace the index by an empty one for `model` and make every product due; nothing else may run meanwhile.

    The encoder is loaded first, so that a model that cannot be loaded costs nothing. Returns the new space and how many
    products are due.
    """
    ledger = _truth(settings).ledger
    embedder, _ = load_embedder(settings, model, None)
    if settings.embedded:
        from backend.vectors.edge_store import EdgeStore

        EdgeStore.remove(settings.data_dir / "index")
    else:
        from backend.vectors.server_store import ServerStore

        with closing(_qdrant_server(settings)) as server:
            ServerStore.remove(server, settings.stores.qdrant_collection)
    _vectors(settings, embedder.space, None, ledger).close()
    return embedder.space, ledger.due()


@dataclass(frozen=True)
class _Truth:
    """The views of one catalog."""

    catalog: "SqlCatalog"
    ledger: "SqlLedger"
    jobs: "SqlJobs"
    receipts: "SqlReceipts"
    fetch_memory: "SqlFetchMemory"


def _truth(settings: Settings) -> _Truth:
    from backend.catalog.engine import database_clock, open_engine
    from backend.catalog.fetch_memory import SqlFetchMemory
    from backend.catalog.jobs import SqlJobs
    from backend.catalog.ledger import SqlLedger
    from backend.catalog.migrations import migrate
    from backend.catalog.products import SqlCatalog
    from backend.catalog.receipts import SqlReceipts

    settings.data_dir.mkdir(parents=True, exist_ok=True)
    worker = settings.worker
    engine = open_engine(
        settings.stores.catalog_url or f"sqlite:///{settings.data_dir / 'catalog.db'}",
        connections=settings.server.threads + worker.tasks + 3,  # each thread, the sweep, the purge, and one to spare
    )
    migrate(engine)
    return _Truth(
        SqlCatalog(engine, _now),
        SqlLedger(engine, _now, worker.max_attempts, worker.merchant_weights, database_clock),
        SqlJobs(engine, _now, database_clock),
        SqlReceipts(engine, _now),
        SqlFetchMemory(engine),
    )


def _reader(settings: Settings) -> "IsolatedReader":
    from backend.imaging.isolated import IsolatedReader
    from backend.imaging.limits import PictureLimits

    limits, decoding = settings.limits, settings.decoding
    return IsolatedReader(
        PictureLimits(
            max_bytes=limits.max_image_bytes,
            max_pixels=limits.max_pixels,
            min_side=limits.min_side,
            max_aspect=limits.max_aspect,
        ),
        processes=decoding.processes or settings.worker.threads + 1,
        seconds=decoding.seconds,
        memory_bytes=decoding.memory_bytes,
    )


def _fetcher(settings: Settings) -> "HttpPictureFetcher":
    from backend.fetching.http_fetcher import HttpPictureFetcher

    fetch = settings.fetch
    return HttpPictureFetcher(
        max_bytes=settings.limits.max_image_bytes,
        seconds=fetch.seconds,
        max_redirects=fetch.max_redirects,
        per_host=fetch.per_host,
        ports=fetch.ports,
        allow_hosts=fetch.allow_hosts,
        deny_hosts=fetch.deny_hosts,
        allow_private=fetch.allow_private,
    )


def model_cache(settings: Settings) -> Path:
    """Where encoders keep what they derive from their weights."""
    return settings.data_dir / "model-cache"


def load_embedder(settings: Settings, model: str, stored: Space | None) -> "tuple[Embedder, Choice]":
    """Choose, load and compare with the index's space, if there is one. Raises `ModelUnavailable`, `ModelMismatch`."""
    from backend.embedding.choice import load_chosen

    return load_chosen(
        model,
        stored,
        cache_dir=model_cache(settings),
        device=settings.device,
        threads=settings.model_threads or None,
        exact=settings.precision == "float32",
        text_model=settings.text_model,
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
        _make_up(edge, ledger)
        return edge
    from backend.vectors.server_store import ServerStore

    collection = settings.stores.qdrant_collection
    return ServerStore.open_or_create(_qdrant_server(settings), collection, space, _qdrant_design(settings))


def _make_up(edge: "EdgeStore", ledger: Ledger) -> None:
    """Make due what the index may have lost. The catalog survives a loss of power, the index up to its last flush."""
    if edge.unsure_since is not None:
        due = ledger.mark_due_since(edge.unsure_since - _CLOCK_MARGIN)
        log.warning("the index was not closed: %d products of its last seconds are looked at again", due)
    if edge.missing_points:
        log.warning("the index lost %d points: %d products are due", edge.missing_points, ledger.mark_all_due())
    if edge.unsure_since is not None or edge.missing_points:
        edge.accept_loss()


_CLOCK_MARGIN = timedelta(seconds=2)
"""Catalog and index note moments by the same clock, which may be set back meanwhile: 1 s for a leap second, mostly less
for what the network corrects in steps. 2 s more of products to look at cost next to nothing."""


def _qdrant_server(settings: Settings) -> "Server":
    from backend.vectors.server import Patience, Server, connect

    stores = settings.stores
    client = connect(
        stores.qdrant_url or "",
        api_key=stores.qdrant_api_key.get_secret_value() if stores.qdrant_api_key else None,
        ca_file=stores.qdrant_ca_file,
        grpc_port=stores.qdrant_grpc_port if stores.qdrant_grpc else None,
        timeout_seconds=stores.qdrant_timeout_seconds,
    )
    return Server(
        client,
        Patience(stores.qdrant_tries, stores.qdrant_backoff_seconds),
        read_replicas=stores.qdrant_read_replicas,
        write_ordering=stores.qdrant_write_ordering,
    )


def _qdrant_design(settings: Settings) -> "Design":
    from backend.vectors.server_design import Design

    stores = settings.stores
    return Design(
        shards=stores.qdrant_shards,
        replicas=stores.qdrant_replicas,
        write_replicas=stores.qdrant_write_replicas,
        vectors_on_disk=stores.qdrant_vectors_on_disk,
        codes=stores.qdrant_codes,
        links=stores.qdrant_graph_links,
        build_candidates=stores.qdrant_graph_candidates,
        exact_below=stores.qdrant_exact_below,
    )


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


def _now() -> datetime:
    return datetime.now(UTC)
