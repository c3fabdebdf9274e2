"""The counters of jobs are what counting their items would give, whatever happened to them and in whatever order."""

import contextlib
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from backend.catalog.engine import reading
from backend.catalog.migrations import migrate
from backend.catalog.tables import job_items, jobs
from backend.domain.importing import ImportOptions, ImportStep
from backend.domain.job import ItemState, JobItem, JobKind
from backend.domain.work import Change, Claim, Fetching, Outcome, Work
from backend.errors import Conflict, ProductNotFound
from tests.contracts.catalog_backends import Store, at_once, engine_of, needs_postgres, sql_store
from tests.factories import change, deletion, facts_change, picture, url_picture

pytestmark = pytest.mark.parametrize("backend", ["sqlite", pytest.param("postgresql", marks=needs_postgres)])


def all_jobs(engine: Engine) -> list[tuple[str, str]]:
    with reading(engine) as connection:
        return [(row.merchant, row.job_id) for row in connection.execute(select(jobs.c.merchant, jobs.c.job_id))]


def assert_exact(engine: Engine, store: Store) -> None:
    with reading(engine) as connection:
        rows = connection.execute(select(job_items.c.job_id, job_items.c.state)).all()
    counted: dict[str, Counter[ItemState]] = {}
    for row in rows:
        counted.setdefault(row.job_id, Counter())[ItemState(row.state)] += 1
    for merchant, job_id in all_jobs(engine):
        job = store.jobs.job(merchant, job_id)
        assert job is not None
        assert job.counts == counted.get(job_id, {})
        assert (job.finished_at is not None) == job.done


class Shop:
    """Does something at random."""

    def __init__(self, engine: Engine, store: Store, seed: int) -> None:
        self._engine = engine
        self._store = store
        self._random = random.Random(seed)
        self._claims: list[Claim] = []

    def act(self) -> None:
        self._store.clock.advance(self._random.choice([1, 1, 1, 50]))
        acts: list[Callable[[], object]] = [
            self._upload, self._upload, self._claim, self._claim, self._settle, self._settle, self._fetch,
            self._read_import, self._read_import, self._retry, self._cancel, self._rebuild,
        ]  # fmt: skip
        self._random.choice(acts)()

    def _change(self, row: int) -> Change:
        name = f"p-{self._random.randrange(6)}"
        kinds = [
            lambda: change(name, row=row),
            lambda: change(name, row=row, pictures=(picture(f"{self._random.random()}"), url_picture(name))),
            lambda: facts_change(name, row=row),
            lambda: deletion(name, row=row),
        ]
        return self._random.choice(kinds)()

    def _upload(self) -> None:
        rows = self._random.randrange(1, 4)
        with contextlib.suppress(ProductNotFound):
            self._store.upload(*(self._change(row) for row in range(1, rows + 1)))

    def _claim(self) -> None:
        self._claims += self._store.claim(self._random.randrange(1, 5), self._random.choice(list(Work)))

    def _settle(self) -> None:
        some, self._claims = self._claims[:3], self._claims[3:]
        codes = (None, None, "image_undecodable")
        self._store.ledger.settle([Outcome(claim, code=self._random.choice(codes), embedded=1) for claim in some])

    def _fetch(self) -> None:
        claims = self._store.claim(2, Work.FETCH)
        found = {record.product.key: record for record in self._store.catalog.products([it.key for it in claims])}
        self._store.ledger.record_fetches([Fetching(claim, found[claim.key].pictures) for claim in claims])

    def _read_import(self) -> None:
        if not self._store.jobs.imports_due():
            self._store.jobs.open_import("shop", "file", ImportOptions())
        claim = self._store.jobs.claim_import(60)
        if claim is None:
            return
        if self._random.random() < 0.2:
            self._store.jobs.fail_import(claim, "csv_invalid", "broken")
            return
        row = claim.next_row
        refused = JobItem(row + 1, None, ItemState.FAILED, code="invalid_field")
        total = self._random.choice([None, row + 1])
        step = ImportStep(claim.job_id, claim.lease, (self._change(row),), (refused,), row + 2, total)
        with contextlib.suppress(Conflict, ProductNotFound):
            self._store.jobs.record_import(step, lease_seconds=60)
        self._store.jobs.yield_import(claim)

    def _retry(self) -> None:
        if found := all_jobs(self._engine):
            self._store.jobs.retry(*self._random.choice(found))

    def _cancel(self) -> None:
        if found := all_jobs(self._engine):
            self._store.jobs.cancel(*self._random.choice(found))

    def _rebuild(self) -> None:
        if self._random.random() < 0.2:
            self._store.ledger.mark_all_due()


@pytest.mark.parametrize("seed", range(4))
def test_counters_are_exact_after_anything(backend: str, tmp_path: Path, seed: int) -> None:
    with engine_of(backend, tmp_path) as engine:
        migrate(engine)
        store = sql_store(engine)
        shop = Shop(engine, store, seed)
        for _ in range(20):
            for _ in range(8):
                shop.act()
            assert_exact(engine, store)
        with reading(engine) as connection:
            seen = set(connection.scalars(select(job_items.c.state).distinct()))
        assert len(seen) >= 4


def test_no_count_is_lost_when_all_write_at_once(backend: str, tmp_path: Path) -> None:
    with engine_of(backend, tmp_path) as engine:
        migrate(engine)
        store = sql_store(engine)
        [accepted, *_] = store.upload(*(change(f"p-{n}", row=n) for n in range(1, 41)))
        batches = [store.claim(5) for _ in range(6)]

        def write(thread: int) -> None:
            if thread < len(batches):
                store.ledger.settle([Outcome(claim, embedded=1, reused=2) for claim in batches[thread]])
            else:
                store.catalog.accept([change(f"p-{n}", row=n) for n in range(20 + thread, 40)], JobKind.UPLOAD)

        at_once(8, write)
        assert_exact(engine, store)
        job = store.jobs.job("shop", accepted.job_id)
        assert job is not None
        settled = job.counts[ItemState.SEARCHABLE]
        assert (job.embedded, job.reused) == (settled, 2 * settled)
        store.settle_all()
        assert_exact(engine, store)
