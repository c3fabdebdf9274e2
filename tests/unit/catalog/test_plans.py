"""The calls of every day find their rows by an index. One full read of a table is nothing in a test and a second per
call with a million products, so it is looked for here rather than timed."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from backend.catalog.engine import open_engine
from backend.catalog.migrations import migrate
from backend.domain.job import ItemState, JobKind
from backend.ports import ImportStep, Outcome
from tests.contracts.catalog_backends import Store, sql_store
from tests.factories import change, content_hash, deletion, facts_change, key

# SCAN without an index reads the table, and so does a SEARCH by the merchant alone: one merchant may own most of it.
READS_A_TABLE = re.compile(r"^SCAN \w+$|USING (COVERING )?INDEX sqlite_autoindex_(products|pictures)_1 \(merchant=\?\)")


class Plans:
    """What SQLite did for each statement between `clear` and now."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._seen: list[tuple[str, Any]] = []
        event.listen(engine, "before_cursor_execute", self._note)

    def _note(self, _c: object, _cursor: object, statement: str, parameters: Any, _x: object, many: bool) -> None:
        self._seen.append((statement, parameters[0] if many else parameters))

    def clear(self) -> None:
        self._seen.clear()

    def lines(self) -> list[str]:
        seen = [item for item in self._seen if item[0].startswith(("SELECT", "UPDATE", "DELETE"))]
        raw = self._engine.raw_connection()
        try:
            cursor = raw.cursor()
            return [
                row[3]
                for statement, parameters in seen
                for row in cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
            ]
        finally:
            raw.close()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path / 'catalog.db'}")
    migrate(engine)
    yield engine
    engine.dispose()


def settle_next(store: Store) -> None:
    store.ledger.settle([Outcome(claim) for claim in store.claim()])


def import_step(store: Store) -> None:
    store.jobs.open_import("shop", "blob")
    claim = store.jobs.claim_import(60)
    assert claim is not None
    store.jobs.record_import(ImportStep(claim.job_id, claim.lease, (change("p-1"),), (), 2), lease_seconds=60)
    store.jobs.yield_import(claim)


def read_job(store: Store) -> None:
    [accepted] = store.upload(change("p-1"))
    store.jobs.job("shop", accepted.job_id)
    for state in (None, ItemState.FAILED):
        store.jobs.items(accepted.job_id, state=state, after_row=0, limit=10)


CALLS: dict[str, Callable[[Store], object]] = {
    "upload": lambda store: store.upload(change("p-1"), change("p-2", row=2)),
    "new facts": lambda store: store.upload(facts_change("p-1"), kind=JobKind.UPDATE),
    "delete": lambda store: store.upload(deletion("p-1"), kind=JobKind.DELETE),
    "claim and settle": settle_next,
    "claim and release": lambda store: store.ledger.release(store.claim()),
    "return leases": lambda store: store.ledger.return_leases(),
    "depth of the queue": lambda store: store.ledger.due(),
    "import": import_step,
    "imports due": lambda store: store.jobs.imports_due(),
    "job": read_job,
    "product": lambda store: store.catalog.product(key("p-1")),
    "products": lambda store: store.catalog.products([key("p-1"), key("p-2"), key("p-1", "other")]),
    "whose picture": lambda store: store.catalog.owns_image("shop", content_hash("a")),
    "deleted but indexed": lambda store: store.catalog.deleted_but_indexed("shop", 10),
    "counts of a merchant": lambda store: store.catalog.count("shop"),
    "counts of all": lambda store: store.catalog.count(),
}


@pytest.mark.parametrize("call", CALLS)
def test_no_call_of_every_day_reads_a_whole_table(engine: Engine, call: str) -> None:
    store = sql_store(engine)
    store.upload(change("p-1"), change("p-2", row=2))
    store.upload(change("p-1", merchant="other"))
    plans = Plans(engine)
    CALLS[call](store)
    lines = plans.lines()
    assert lines
    assert [line for line in lines if READS_A_TABLE.search(line)] == []


@pytest.mark.parametrize(
    ("call", "index"),
    [
        ("claim and settle", "ix_products_due"),
        ("claim and settle", "ix_job_items_waiting"),
        ("depth of the queue", "ix_products_due"),
        ("return leases", "ix_products_leased"),
        ("import", "ix_jobs_unread"),
        ("job", "ix_job_items_state"),
        ("whose picture", "ix_pictures_content"),
        ("deleted but indexed", "ix_products_gone"),
        ("counts of a merchant", "ix_products_live"),
        ("counts of a merchant", "ix_products_pending"),
        ("counts of a merchant", "ix_products_failed"),
        ("counts of a merchant", "ix_pictures_searchable"),
    ],
)
def test_each_index_serves_the_call_it_was_made_for(engine: Engine, call: str, index: str) -> None:
    store = sql_store(engine)
    store.upload(change("p-1"))
    plans = Plans(engine)
    CALLS[call](store)
    assert any(f"INDEX {index}" in line for line in plans.lines())


def test_a_claim_does_not_sort_what_is_due(engine: Engine) -> None:
    store = sql_store(engine)
    store.upload(change("p-1"))
    plans = Plans(engine)
    store.claim()
    assert not [line for line in plans.lines() if "TEMP B-TREE" in line]
