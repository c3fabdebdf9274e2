"""The use cases wired over given parts: real ones from `bootstrap`, fakes from tests, the same way."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from threading import BoundedSemaphore

from backend.domain.work import Work
from backend.settings import Settings
from backend.usecases.admit import Admit
from backend.usecases.await_product import AwaitProduct
from backend.usecases.breaker import Breaker
from backend.usecases.change_job import CancelJob, RetryJob
from backend.usecases.check_index import CheckIndex
from backend.usecases.crew import Crew
from backend.usecases.delete_product import DeleteProduct
from backend.usecases.embed_pictures import EmbedPictures
from backend.usecases.embed_query import EmbedQuery
from backend.usecases.fetch_pictures import FetchPictures, FetchRules
from backend.usecases.import_products import ImportProducts
from backend.usecases.keep_pictures import KeepPictures
from backend.usecases.keep_receipts import KeepReceipts
from backend.usecases.measure_scores import MeasureScores
from backend.usecases.open_import import OpenImport
from backend.usecases.parts import Parts
from backend.usecases.patch_product import PatchProduct
from backend.usecases.purge import Purge
from backend.usecases.read_index import ReadIndex
from backend.usecases.read_job import ReadJob
from backend.usecases.read_product import ReadImage, ReadProduct
from backend.usecases.read_status import ReadStatus
from backend.usecases.reconcile_products import ReconcileProducts
from backend.usecases.retire_index import retire_index
from backend.usecases.ring_for_what_waits import ring_for_what_waits
from backend.usecases.search_products import SearchProducts
from backend.usecases.served_index import ServedIndex
from backend.usecases.services import Services
from backend.usecases.shared_vectors import SharedVectors
from backend.usecases.snapshot_index import SnapshotIndex
from backend.usecases.solitude import Solitude
from backend.usecases.sweep import Sweep
from backend.usecases.understand_rows import UnderstandRows
from backend.usecases.upload_product import UploadProduct
from backend.usecases.watch_job import WatchJob


class Assembly:
    """The use cases over one index at a time. `services` is the same object for ever; its verbs change."""

    def __init__(self, settings: Settings, parts: Parts) -> None:
        self._settings = settings
        self._parts = parts
        self._standing = _standing(settings, parts)
        self.services = _verbs(settings, parts, self._standing, self.close)

    def take(self, served: ServedIndex) -> None:
        """Let this index serve; the former one is closed when its last call has ended."""
        former = self._parts.vectors
        self._parts = self._parts.over(served)
        verbs = self.services.become(_verbs(self._settings, self._parts, self._standing, self.close))
        retire_index(former, verbs)
        ring_for_what_waits(self._parts.ledger, self._parts.doorbell)

    def close(self) -> None:
        """Let go of everything."""
        self._standing.import_products.close()
        self._parts.vectors.close()
        self._parts.close()


def assemble(settings: Settings, parts: Parts) -> Services:
    """The use cases over given parts: real ones here, fakes in tests, wired the same way."""
    return Assembly(settings, parts).services


@dataclass(frozen=True)
class _Standing:
    """What is the same whichever index serves: above all, who works and how much."""

    crews: Mapping[Work, Crew]
    admit: Admit
    keep: KeepPictures
    read_image: ReadImage
    read_job: ReadJob
    import_products: ImportProducts
    query_vectors: SharedVectors


def _standing(settings: Settings, parts: Parts) -> _Standing:
    limits, worker = settings.limits, settings.worker
    keep = KeepPictures(parts.reader, parts.fetcher, parts.blobs, limits.max_pictures)
    read_image = ReadImage(parts.catalog, parts.blobs, parts.reader)
    admit = Admit(parts.ledger, parts.jobs, limits.queue_per_merchant, limits.queue_total, limits.open_imports)
    return _Standing(
        crews=_crews(settings, parts),
        admit=admit,
        keep=keep,
        read_image=read_image,
        read_job=ReadJob(parts.jobs),
        import_products=ImportProducts(
            parts.manifests,
            UnderstandRows(parts.catalog, keep, read_image, limits.max_image_bytes, settings.currency),
            parts.files,
            parts.jobs,
            parts.doorbell,
            admit,
            worker.lease_seconds,
            worker.max_attempts,
            limits.max_import_rows,
        ),
        query_vectors=SharedVectors(limits.cached_query_vectors),
    )


def _verbs(settings: Settings, parts: Parts, standing: _Standing, close: Callable[[], None]) -> Services:
    """All verbs, over the index of `parts`."""
    worker, crews, number = settings.worker, standing.crews, parts.number
    check_index = CheckIndex(parts.vectors, parts.embedder, parts.clock)
    snapshot_index = SnapshotIndex(parts.served, settings.snapshots)
    return Services(
        admit=standing.admit,
        receipts=KeepReceipts(parts.receipts),
        upload_product=UploadProduct(standing.keep, parts.catalog, parts.doorbell),
        patch_product=PatchProduct(parts.catalog, parts.doorbell, settings.currency),
        delete_product=DeleteProduct(parts.catalog, parts.doorbell),
        read_product=ReadProduct(parts.catalog),
        await_product=AwaitProduct(parts.catalog),
        read_image=standing.read_image,
        open_import=OpenImport(parts.manifests, parts.files, parts.jobs, parts.doorbell),
        import_products=standing.import_products,
        fetch_pictures=_fetch_pictures(settings, parts, crews[Work.FETCH]),
        reconcile_products=ReconcileProducts(
            parts.catalog,
            parts.ledger,
            parts.vectors,
            embed_pictures(settings, parts),
            parts.doorbell,
            crews,
            worker.batch,
            worker.lease_seconds,
            lambda: parts.indexes.admits(number),
        ),
        search_products=SearchProducts(
            parts.catalog,
            EmbedQuery(parts.blobs, parts.reader, parts.embedder, standing.query_vectors),
            parts.vectors,
            MeasureScores(parts.vectors, parts.embedder, parts.clock),
        ),
        read_job=standing.read_job,
        watch_job=WatchJob(standing.read_job),
        retry_job=RetryJob(parts.jobs, parts.doorbell),
        cancel_job=CancelJob(parts.jobs, parts.doorbell),
        read_status=ReadStatus(
            parts.catalog,
            parts.ledger,
            parts.jobs,
            parts.doorbell,
            parts.vectors,
            parts.embedder,
            parts.memory,
            standing.admit,
            [crew.breaker for crew in crews.values()],
            parts.model_reason,
            check_index,
        ),
        read_index=ReadIndex(parts.indexes, parts.served, parts.clock),
        snapshot_index=snapshot_index,
        check_index=check_index,
        sweep=Sweep(parts.ledger, parts.jobs, parts.doorbell, parts.vectors),
        purge=_purge(settings, parts, snapshot_index),
        hand_back=lambda: _hand_back(crews.values()),
        close=close,
    )


def embed_pictures(settings: Settings, parts: Parts) -> EmbedPictures:
    """Pictures to vectors, for the index of `parts`."""
    return EmbedPictures(parts.blobs, parts.reader, parts.embedder, parts.vectors, settings.worker.batch)


def _purge(settings: Settings, parts: Parts, copies: SnapshotIndex) -> Purge:
    worker = settings.worker
    return Purge(
        parts.catalog,
        parts.jobs,
        parts.receipts,
        parts.fetch_memory,
        parts.blobs,
        parts.files,
        parts.vectors,
        copies,
        parts.clock,
        grace=timedelta(seconds=worker.purge_grace_seconds),
        tombstones=timedelta(seconds=worker.tombstone_seconds),
        finished_jobs=timedelta(days=worker.job_retention_days),
    )


def _hand_back(crews: Iterable[Crew]) -> None:
    for crew in crews:
        crew.hand_back()


def _crews(settings: Settings, parts: Parts) -> dict[Work, Crew]:
    worker = settings.worker
    places = {
        Work.FACTS: 1,
        Work.FETCH: worker.fetch_threads,
        Work.UPLOADS: worker.threads,
        Work.IMPORTS: worker.threads,
    }
    solitude = Solitude()
    return {
        work: Crew(
            work,
            parts.ledger,
            BoundedSemaphore(number),
            Breaker(work.value, parts.clock),
            solitude,
            worker.lease_seconds,
        )
        for work, number in places.items()
    }


def _fetch_pictures(settings: Settings, parts: Parts, crew: Crew) -> FetchPictures:
    fetch = settings.fetch
    return FetchPictures(
        parts.catalog,
        parts.ledger,
        parts.fetch_memory,
        parts.fetcher,
        parts.reader,
        parts.blobs,
        parts.doorbell,
        parts.clock,
        parts.executor,
        crew,
        FetchRules(fetch.tries, timedelta(seconds=fetch.backoff_seconds), timedelta(seconds=fetch.fresh_seconds)),
        settings.worker.lease_seconds,
    )
