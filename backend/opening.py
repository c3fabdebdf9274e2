"""The catalog, the index's generations and their encoders, opened from settings: what all else is built over."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backend.domain.generation import FIRST, Generation, IndexState
from backend.ports import Embedder, Space
from backend.settings import Settings
from backend.usecases.served_index import ServedIndex

if TYPE_CHECKING:
    from backend.catalog.fetch_memory import SqlFetchMemory
    from backend.catalog.indexes import SqlIndexes
    from backend.catalog.jobs import SqlJobs
    from backend.catalog.ledger import SqlLedger
    from backend.catalog.products import SqlCatalog
    from backend.catalog.receipts import SqlReceipts
    from backend.embedding.choice import Choice
    from backend.vectors.generations import Generations, Opened
    from backend.vectors.server import Server
    from backend.vectors.server_design import Design

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Truth:
    """The views of one catalog. `close` lets go of its connections, as the end of a process does."""

    catalog: "SqlCatalog"
    ledger: "SqlLedger"
    jobs: "SqlJobs"
    receipts: "SqlReceipts"
    indexes: "SqlIndexes"
    fetch_memory: "SqlFetchMemory"
    close: Callable[[], None]


def open_catalog(settings: Settings) -> Truth:
    """Raises `Misconfigured`, `CatalogUnavailable`."""
    from backend.catalog.engine import database_clock, open_engine
    from backend.catalog.fetch_memory import SqlFetchMemory
    from backend.catalog.indexes import SqlIndexes
    from backend.catalog.jobs import SqlJobs
    from backend.catalog.ledger import SqlLedger
    from backend.catalog.migrations import migrate
    from backend.catalog.products import SqlCatalog
    from backend.catalog.receipts import SqlReceipts

    settings.data_dir.mkdir(parents=True, exist_ok=True)
    worker = settings.worker
    engine = open_engine(
        catalog_url(settings),
        connections=settings.server.threads + worker.tasks + 3,  # each thread, the sweep, the purge, and one to spare
    )
    migrate(engine)
    return Truth(
        SqlCatalog(engine, now),
        SqlLedger(engine, now, worker.max_attempts, worker.merchant_weights, database_clock),
        SqlJobs(engine, now, database_clock),
        SqlReceipts(engine, now),
        SqlIndexes(engine, now, database_clock),
        SqlFetchMemory(engine),
        engine.dispose,
    )


def catalog_url(settings: Settings) -> str:
    """Where the catalog is."""
    return settings.stores.catalog_url or f"sqlite:///{_catalog_file(settings)}"


def _catalog_file(settings: Settings) -> Path:
    return settings.data_dir / "catalog.db"


def serving_number(settings: Settings) -> int:
    """Which generation of the index serves, asked without opening or making anything. Raises `CatalogUnavailable`."""
    if settings.stores.catalog_url is None and not _catalog_file(settings).exists():
        return FIRST
    from backend.catalog.indexes import serving_number

    return serving_number(catalog_url(settings))


def stored_space(settings: Settings) -> Space | None:
    """The space the existing index was built for; None when there is no index yet."""
    return places_of(settings).stored_space(serving_number(settings))


def chosen_model(settings: Settings) -> "Choice":
    """The encoder a start would use, without loading it. Raises `ModelMismatch`."""
    from backend.embedding.choice import LocalProbes, choose

    return choose(settings.model, stored_space(settings), LocalProbes())


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
        shared=settings.model_shared,
    )


def warm_up(embedder: Embedder) -> None:
    """Pay for lazy loading, first kernels and derived constants here, so that the first user does not."""
    embedder.embed_texts(["warm up"])
    embedder.embed_images([np.full((embedder.picture_side, embedder.picture_side, 3), 128, np.uint8)])


def open_serving(settings: Settings, truth: Truth) -> ServedIndex:
    """The index that serves, opened or made, and its encoder. Whatever it lacks is made due.

    Loads the encoder: seconds. Raises `Misconfigured` (a person has to act) or `Unavailable` (a part is down).
    """
    generations = truth.indexes.generations()
    number = next((it.number for it in generations if it.state is IndexState.SERVING), FIRST)
    places = places_of(settings)
    stored = places.stored_space(number)
    embedder, choice = load_embedder(settings, settings.model, stored)
    log.info("encoder: %s (%s)", choice.model, choice.reason)
    warm_up(embedder)
    opened = open_made_up(places, number, embedder.space, truth, new=stored is None)
    return ServedIndex(number, embedder, opened.vectors, choice.reason)


def open_made_up(places: "Generations", number: int, space: Space, truth: Truth, *, new: bool) -> "Opened":
    """The index that serves. What it may have lost is due before anything notes that it is there: the catalog survives
    a loss of power, the index up to its last flush.
    """
    ledger = truth.ledger
    if new and (due := ledger.mark_all_due()):
        log.warning("the index is new: %d products are due again", due)
    opened = places.open_or_create(number, space)
    if opened.unsure_since is not None:
        due = ledger.mark_due_since(opened.unsure_since - _CLOCK_MARGIN)
        log.warning("the index was not closed: %d products of its last seconds are looked at again", due)
    if opened.damaged:
        log.warning("the index lost points: %d products are due", ledger.mark_all_due())
    if opened.unsure_since is not None or opened.damaged:
        opened.accept_loss()
    return opened


def open_generation(settings: Settings, generation: Generation, *, beside: bool) -> ServedIndex:
    """Another generation, opened or made, with its encoder. `beside`: in a process that answers searches.

    Raises `ModelUnavailable`, `ModelMismatch`, `DataDirectoryInUse`, `IndexUnavailable`.
    """
    space = Space(generation.model, generation.dimension, generation.fingerprint)
    embedder, choice = load_embedder(settings, "auto", space)
    warm_up(embedder)
    return open_with(settings, generation.number, embedder, choice.reason, beside=beside)


def open_with(settings: Settings, number: int, embedder: Embedder, reason: str, *, beside: bool) -> ServedIndex:
    """The same over an encoder that is loaded already."""
    opened = places_of(settings).open_or_create(number, embedder.space, beside=beside)
    lost = (opened.unsure_since, opened.damaged, opened.accept_loss)
    return ServedIndex(number, embedder, opened.vectors, reason, *lost)


def places_of(settings: Settings) -> "Generations":
    """Where the index's generations live."""
    if settings.embedded:
        from backend.vectors.edge_limits import EdgeLimits, GrowthLimits
        from backend.vectors.generations_edge import EdgeGenerations

        stores = settings.stores
        growth = GrowthLimits(graph_points=stores.index_graph_points)
        return EdgeGenerations(settings.data_dir, EdgeLimits(held_share=stores.index_held_share, growth=growth))
    from backend.vectors.generations_server import ServerGenerations

    return ServerGenerations(
        lambda: _qdrant_server(settings), settings.stores.qdrant_collection, _qdrant_design(settings)
    )


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


def now() -> datetime:
    """The clock of everything that is built here."""
    return datetime.now(UTC)
