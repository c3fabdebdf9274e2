"""The six ports of the catalog on every backend: the fake, SQLite, and PostgreSQL where a server is named.

SHELFSIGHT_TEST_POSTGRES_URL names a database whose user may create schemas; each test gets one of its own.
"""

import os
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Engine, make_url, text

from backend.catalog.engine import open_engine, writing
from backend.catalog.fetch_memory import SqlFetchMemory
from backend.catalog.indexes import SqlIndexes
from backend.catalog.jobs import SqlJobs
from backend.catalog.ledger import SqlLedger
from backend.catalog.migrations import migrate
from backend.catalog.products import SqlCatalog
from backend.catalog.receipts import SqlReceipts
from backend.domain.job import ItemState, JobKind
from backend.domain.picture import Picture, PictureState
from backend.domain.product import ProductRecord
from backend.domain.work import Accepted, Change, Claim, Outcome, Receipt, Work
from backend.ports import Catalog, FetchMemory, Indexes, Jobs, Ledger, Receipts
from tests.factories import key
from tests.fakes.catalog import FakeCatalog

POSTGRES_URL = os.environ.get("SHELFSIGHT_TEST_POSTGRES_URL", "")
LEASE = 60.0

T = TypeVar("T")

needs_postgres = pytest.mark.skipif(not POSTGRES_URL, reason="SHELFSIGHT_TEST_POSTGRES_URL names no server")
BACKENDS = ["fake", "sqlite", pytest.param("postgresql", marks=needs_postgres)]


class Clock:
    """Moves when it is told to, and by a microsecond each time it is read: no two moments are the same."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(microseconds=1)
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def at_once(count: int, act: Callable[[int], T]) -> list[T]:
    """What `act` answers in that many threads that start together."""
    start = threading.Barrier(count)

    def run(number: int) -> T:
        start.wait()
        return act(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


@dataclass
class Store:
    """The ports over one database, and what tests do over and over."""

    catalog: Catalog
    ledger: Ledger
    jobs: Jobs
    receipts: Receipts
    memory: FetchMemory
    indexes: Indexes
    clock: Clock = field(default_factory=Clock)

    def upload(
        self, *changes: Change, kind: JobKind = JobKind.UPLOAD, receipt: Receipt | None = None
    ) -> list[Accepted]:
        self.clock.advance(1)
        return self.catalog.accept(changes, kind, receipt)

    def claim(self, limit: int = 32, work: Work | None = None) -> list[Claim]:
        """Of one kind of work; without one, of uploads and then of imports."""
        if work is None:
            uploads = self.claim(limit, Work.UPLOADS)
            alone = any(claim.attempts > 1 for claim in uploads)
            return (
                uploads if alone or len(uploads) == limit else uploads + self.claim(limit - len(uploads), Work.IMPORTS)
            )
        return self.ledger.claim(work, limit, LEASE)

    def claimed_ids(self, limit: int = 32, work: Work | None = None) -> list[str]:
        return [claim.key.product_id for claim in self.claim(limit, work)]

    def settle_all(self) -> int:
        """Work until nothing is due for a model or for none, everything well; how many. Nothing is fetched."""
        settled = 0
        while claims := self.claim(work=Work.FACTS) or self.claim():
            records = {record.product.key: record for record in self.catalog.products([claim.key for claim in claims])}
            self.ledger.settle([Outcome(claim, tuple(map(shown, records[claim.key].pictures))) for claim in claims])
            settled += len(claims)
        return settled

    def states(self, job_id: str) -> list[tuple[int, ItemState]]:
        found = self.jobs.items(job_id, state=None, after_row=0, limit=1_000)
        return [(item.row, item.state) for item in found]

    def finished(self, accepted: Accepted) -> bool:
        job = self.jobs.job(accepted.key.merchant, accepted.job_id)
        assert job is not None
        assert (job.finished_at is not None) == job.done
        return job.done


def shown(picture: Picture) -> Picture:
    """A picture as a worker leaves it when all is well."""
    waits = picture.content_hash is not None and picture.state is PictureState.PENDING
    return replace(picture, state=PictureState.SEARCHABLE) if waits else picture


def sql_store(
    engine: Engine,
    clock: Callable[[], datetime] | None = None,
    max_attempts: int = 2,
    weights: Mapping[str, int] | None = None,
) -> Store:
    moving = Clock()
    now = clock or moving
    ledger = SqlLedger(engine, now, max_attempts, weights)
    return Store(
        SqlCatalog(engine, now),
        ledger,
        SqlJobs(engine, now),
        SqlReceipts(engine, now),
        SqlFetchMemory(engine),
        SqlIndexes(engine, now),
        moving,
    )


@contextmanager
def opened(
    backend: str, folder: Path, *, max_attempts: int = 2, weights: Mapping[str, int] | None = None
) -> Iterator[Store]:
    """A new, empty store."""
    if backend == "fake":
        clock = Clock()
        fake = FakeCatalog(clock, max_attempts, weights)
        yield Store(fake, fake, fake, fake, fake, fake, clock)
        return
    with engine_of(backend, folder) as engine:
        migrate(engine)
        yield sql_store(engine, max_attempts=max_attempts, weights=weights)


@contextmanager
def engine_of(backend: str, folder: Path) -> Iterator[Engine]:
    """An empty database, not yet migrated."""
    with database(backend, folder) as url:
        engine = open_engine(url)
        yield engine
        engine.dispose()


@contextmanager
def database(backend: str, folder: Path) -> Iterator[str]:
    """The URL of an empty database; a schema of its own in the PostgreSQL server's."""
    if backend == "sqlite":
        yield f"sqlite:///{folder / 'catalog.db'}"
        return
    schema = f"t_{uuid.uuid4().hex}"
    server = open_engine(POSTGRES_URL)
    with writing(server) as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    url = make_url(POSTGRES_URL).update_query_dict({"options": f"-csearch_path={schema}"})
    yield url.render_as_string(hide_password=False)
    with writing(server) as connection:
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    server.dispose()


def read(store: Store, product_id: str = "p-1") -> ProductRecord:
    """A product's row, which is there."""
    record = store.catalog.product(key(product_id))
    assert record is not None
    return record
