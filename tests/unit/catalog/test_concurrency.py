"""Orders of events that only locks make harmless, forced by a transaction that is held open."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, select, text

from backend.catalog.acceptance import accept_changes
from backend.catalog.engine import reading, writing
from backend.catalog.migrations import migrate
from backend.catalog.tables import jobs, products
from backend.catalog.tallying import write_tallies
from backend.domain.picture import PictureState
from backend.domain.product import ProductState
from backend.domain.work import Change, Outcome
from tests.contracts.catalog_backends import Store, engine_of, needs_postgres, sql_store
from tests.factories import change, key, picture

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
