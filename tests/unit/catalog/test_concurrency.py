"""Orders of events that only locks make harmless, forced by a transaction that is held open."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, select, text

from backend.catalog.acceptance import accept_changes
from backend.catalog.engine import database_clock, reading, writing
from backend.catalog.jobs import SqlJobs
from backend.catalog.ledger import SqlLedger
from backend.catalog.migrations import migrate
from backend.catalog.rows import in_order
from backend.catalog.tables import jobs, products
from backend.catalog.tallying import write_tallies
from backend.domain.importing import ImportOptions
from backend.domain.job import JobKind
from backend.domain.picture import PictureState
from backend.domain.product import ProductKey, ProductState
from backend.domain.work import Change, Outcome, Work
from tests.contracts.catalog_backends import Store, at_once, engine_of, needs_postgres, sql_store
from tests.factories import change, facts_change, key, picture

pytestmark = pytest.mark.parametrize("backend", ["sqlite", pytest.param("postgresql", marks=needs_postgres)])


@contextmanager
def opened(backend: str, folder: Path) -> Iterator[tuple[Engine, Store]]:
    with engine_of(backend, folder) as engine:
        migrate(engine)
        yield engine, sql_store(engine)


def while_accepting(engine: Engine, store: Store, accepted: Change, act: Callable[[], object]) -> None:
    """Begin to act when a change has been written and not yet committed; commit once the other one waits for it."""
    thread = threading.Thread(target=act)
    now = store.clock()
    with writing(engine) as connection:
        job = {"job_id": "held", "merchant": "shop", "kind": "upload", "created_at": now, "due_at": now}
        connection.execute(insert(jobs).values(**job, next_row=2, total=1))
        _, tallies = accept_changes(connection, "held", [accepted], now, bulk=False)
        write_tallies(connection, tallies, now)
        thread.start()
        if engine.dialect.name == "postgresql":
            waiting = text("SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted")
            while thread.is_alive() and not connection.scalar(waiting):
                pass
    thread.join()


def test_an_outcome_that_meets_a_change_halfway_is_one_of_the_older_version(backend: str, tmp_path: Path) -> None:
    with opened(backend, tmp_path) as (engine, store):
        store.upload(change("p-1", pictures=(picture("a"),)))
        [claim] = store.claim()
        shown = picture("a", PictureState.SEARCHABLE)
        outcome = Outcome(claim, (shown,), code="internal", detail="of the older version")
        newer = change("p-1", pictures=(picture("a"), picture("b")))
        while_accepting(engine, store, newer, lambda: store.ledger.settle([outcome]))
        record = store.catalog.product(key("p-1"))
        assert record is not None
        assert (record.version, record.indexed_version, record.state) == (2, 1, ProductState.PENDING)
        assert (record.code, record.pictures) == (None, (picture("a"), picture("b")))


def test_what_is_read_together_is_of_one_moment(backend: str, tmp_path: Path) -> None:
    with opened(backend, tmp_path) as (engine, store):
        store.upload(change("p-1"))
        with reading(engine) as connection:
            before = connection.execute(select(products)).all()
            store.upload(change("p-1", title="newer"))
            assert connection.execute(select(products)).all() == before
        assert store.catalog.products([key("p-1")])[0].product.title == "newer"


def test_a_claim_passes_over_a_product_that_is_just_changed(backend: str, tmp_path: Path) -> None:
    """On PostgreSQL; on SQLite it waits, and then finds the change."""
    with opened(backend, tmp_path) as (engine, store):
        store.upload(change("p-1"))
        store.upload(change("p-2"))
        claimed: list[tuple[str, int]] = []

        def claim() -> None:
            claimed.extend((claim.key.product_id, claim.version) for claim in store.claim())

        while_accepting(engine, store, change("p-1"), claim)
        claimed += [(claim.key.product_id, claim.version) for claim in store.claim()]
        assert sorted(claimed) == [("p-1", 2), ("p-2", 1)]


def test_a_product_that_two_create_at_once_is_counted_twice(backend: str, tmp_path: Path) -> None:
    with opened(backend, tmp_path) as (engine, store):
        versions: list[int] = []
        while_accepting(
            engine,
            store,
            change("p-1"),
            lambda: versions.extend(accepted.version for accepted in store.upload(change("p-1"))),
        )
        assert versions == [2]
        assert store.states("held")[0][1] == "superseded"


def test_rows_are_locked_in_the_order_in_which_python_sorts_their_keys(backend: str, tmp_path: Path) -> None:
    """Whatever the database's language: there `a` comes before `B`, and an import met a renewal of leases crosswise."""
    keys = [key(f"{first}{n}", merchant) for merchant in ("shop", "Shop") for n in range(3) for first in "aBéz_-Z"]
    with opened(backend, tmp_path) as (engine, store):
        for merchant in ("shop", "Shop"):
            mine = [it for it in keys if it.merchant == merchant]
            store.upload(*(change(it.product_id, merchant=merchant, row=row) for row, it in enumerate(mine, 1)))
        with writing(engine) as connection:
            held = select(products.c.merchant, products.c.product_id).order_by(*in_order(connection, products))
            assert [ProductKey(*row) for row in connection.execute(held)] == sorted(keys)


def test_imports_and_renewals_of_leases_at_once_do_not_wait_in_a_circle(backend: str, tmp_path: Path) -> None:
    ids = [f"{'aB'[n % 2]}{n:03}" for n in range(64)]
    with opened(backend, tmp_path) as (_, store):
        store.upload(*(change(name, row=row) for row, name in enumerate(ids, 1)))
        claims = store.claim(64)
        new_facts = [facts_change(name, row=row) for row, name in enumerate(ids, 1)]

        def act(thread: int) -> None:
            for _ in range(25):
                if thread % 2:
                    store.catalog.accept(new_facts, JobKind.IMPORT)
                else:
                    store.ledger.renew(claims, 60)

        at_once(4, act)


def test_machines_whose_clocks_differ_hold_each_product_and_import_once(backend: str, tmp_path: Path) -> None:
    with opened(backend, tmp_path) as (engine, store):

        def machine(ahead: timedelta) -> tuple[SqlLedger, SqlJobs]:
            clock = lambda: datetime.now(UTC) + ahead  # noqa: E731 - its own, which nobody set
            return SqlLedger(engine, clock, lease_clock=database_clock), SqlJobs(engine, clock, database_clock)

        (slow, slow_jobs), (fast, fast_jobs) = machine(timedelta(0)), machine(timedelta(seconds=61))
        store.upload(change("p-1"))
        claims = slow.claim(Work.UPLOADS, 1, 60)
        store.jobs.open_import("shop", "blob", ImportOptions())
        claim = slow_jobs.claim_import(60)
        assert len(claims) == 1
        assert claim is not None
        assert (fast.claim(Work.UPLOADS, 1, 60), fast_jobs.claim_import(60)) == ([], None)
        assert (fast.waiting(Work.UPLOADS), fast.return_leases()) == (False, 0)
        fast.renew(claims, 1e-6)
        fast_jobs.renew_import(claim, 1e-6)
        assert slow.return_leases() == 2


def test_a_databases_clock_is_about_ours_and_in_utc(backend: str, tmp_path: Path) -> None:
    with opened(backend, tmp_path) as (engine, _), reading(engine) as connection:
        now = database_clock(connection)
        assert now.tzinfo is UTC
        assert abs(now - datetime.now(UTC)) < timedelta(minutes=1)
