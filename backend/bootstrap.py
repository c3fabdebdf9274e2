"""The one place that knows every concrete class: settings -> services.

Heavy adapters are imported where they are built, so that a process that does not embed does not pay for torch.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from backend.assembly import Assembly, assemble, embed_pictures
from backend.domain.generation import Generation
from backend.errors import Misconfigured
from backend.keeping import open_kept, refuse_unfinished
from backend.opening import Truth, now, open_catalog, open_generation, open_serving, places_of
from backend.ports import Indexes, Ledger
from backend.settings import Settings
from backend.usecases.build_index import BuildIndex
from backend.usecases.follow_index import FollowIndex, withdraw_unopened
from backend.usecases.parts import Parts
from backend.usecases.served_index import ServedIndex
from backend.usecases.services import Services
from backend.usecases.switch_index import SwitchIndex

if TYPE_CHECKING:
    from celery import Celery

    from backend.fetching.http_fetcher import HttpPictureFetcher
    from backend.imaging.isolated import IsolatedReader
    from backend.queueing.doorbell import CeleryDoorbell
    from backend.vectors.generations import Generations


@dataclass(frozen=True)
class Built:
    """A process's parts: the use cases, what it does every second to follow a change of the index, and the queue's two
    ends for the processes that also work.
    """

    services: Services
    follow_index: FollowIndex
    celery: "Celery"
    doorbell: "CeleryDoorbell"


def build(settings: Settings) -> Built:
    """Everything a process needs, opened and checked against the index. Loads the encoder: seconds, once.

    Raises `Misconfigured` (a person has to act) or `Unavailable` (a part is down).
    """
    refuse_unfinished(settings)
    truth = open_catalog(settings)
    if settings.embedded:  # alone: whoever held the workers back for a switch is gone
        truth.indexes.let_go()
        withdraw_unopened(truth.indexes)
    served = open_serving(settings, truth)
    celery, doorbell = _queue(_broker_url(settings))
    tools = _tools(settings, truth, doorbell, alone=settings.embedded)
    assembly = Assembly(settings, tools.over(served))
    follow = FollowIndex(
        truth.indexes,
        _switch_index(settings, truth.indexes),
        partial(open_generation, settings, beside=True),
        partial(_build_index, settings, tools),
        assembly.take,
        served.number,
        alone=settings.embedded,
    )
    return Built(assembly.services, follow, celery, doorbell)


@dataclass(frozen=True)
class _Tools:
    """All a process works with but the index and its encoder: whoever keeps this keeps neither in memory.

    `over` adds them; `close` lets go of the tools.
    """

    over: Callable[[ServedIndex], Parts]
    close: Callable[[], None]


def _tools(settings: Settings, truth: Truth, doorbell: "CeleryDoorbell", *, alone: bool) -> _Tools:
    """`alone`: nobody else has the data directory."""
    from backend.footprint import memory_bytes
    from backend.manifests.reader import FileReader

    kept = open_kept(settings, alone=alone)
    reader, fetcher = _reader(settings), _fetcher(settings)
    reader.warm_up()
    executor = ThreadPoolExecutor(settings.worker.fetch_threads * _FETCHES_PER_BATCH, thread_name_prefix="fetch")

    def close() -> None:
        executor.shutdown(wait=False, cancel_futures=True)
        for part in (fetcher, reader, doorbell, kept):
            part.close()

    def over(served: ServedIndex) -> Parts:
        return Parts(
            catalog=truth.catalog,
            ledger=truth.ledger,
            jobs=truth.jobs,
            receipts=truth.receipts,
            indexes=truth.indexes,
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
            embedder=served.embedder,
            vectors=served.vectors,
            doorbell=doorbell,
            clock=now,
            model_reason=served.reason,
            memory=memory_bytes,
            close=close,
            number=served.number,
        )

    return _Tools(over, close)


@dataclass(frozen=True)
class Workshop:
    """What a change of the index is made with, beside a server or without one."""

    settings: Settings
    indexes: Indexes
    ledger: Ledger
    places: "Generations"
    switch_index: SwitchIndex
    tools: _Tools

    def build_index(self, served: ServedIndex) -> BuildIndex:
        """Fills and follows this index."""
        return _build_index(self.settings, self.tools, served)

    def services(self, served: ServedIndex) -> Services:
        """The use cases over this index, to search it."""
        return assemble(self.settings, self.tools.over(served))

    def open_generation(self, generation: Generation) -> ServedIndex:
        """With its encoder, which is loaded."""
        return open_generation(self.settings, generation, beside=False)

    def close(self) -> None:
        """Let go of everything but indexes."""
        self.tools.close()


def open_workshop(settings: Settings, truth: Truth) -> Workshop:
    """Over an open catalog."""
    _, doorbell = _queue(_broker_url(settings))
    tools = _tools(settings, truth, doorbell, alone=False)
    return Workshop(
        settings, truth.indexes, truth.ledger, places_of(settings), _switch_index(settings, truth.indexes), tools
    )


def _switch_index(settings: Settings, indexes: Indexes) -> SwitchIndex:
    return SwitchIndex(indexes, now, settings.worker.lease_seconds)


def _build_index(settings: Settings, tools: _Tools, served: ServedIndex) -> BuildIndex:
    worker, parts = settings.worker, tools.over(served)
    embed = embed_pictures(settings, parts)
    return BuildIndex(parts.catalog, parts.indexes, served.vectors, embed, now, worker.batch, worker.threads)


_FETCHES_PER_BATCH = 8  # addresses of a batch fetched at once: threads that mostly wait for hosts


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
