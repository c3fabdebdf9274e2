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
from backend.domain.importing import ImportOptions, ImportStep
from backend.domain.job import ItemState, JobKind
from backend.domain.picture import PictureState
from backend.domain.work import Fetching, Outcome, Remembered, Work
from tests.contracts.catalog_backends import Store, sql_store
from tests.factories import change, content_hash, deletion, facts_change, key, picture, receipt, url_picture

# SCAN without an index reads the table (`steps` is the list of merchants a claim makes by itself), and so does a SEARCH
# by the merchant alone: one merchant may own most of it.
READS_A_TABLE = re.compile(
    r"^SCAN (?!steps)\w+$"
    r"|USING (COVERING )?INDEX sqlite_autoindex_(products|pictures|dropped_pictures)_1 \(merchant=\?\)"
)


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
        seen = [item for item in self._seen if item[0].startswith(("SELECT", "UPDATE", "DELETE", "WITH"))]
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


def fetch_next(store: Store) -> None:
    store.upload(change("p-3", pictures=(url_picture("a"),)))
    claims = store.claim(work=Work.FETCH)
    store.ledger.record_fetches([Fetching(claim, (url_picture("a"),)) for claim in claims])


def fail_and_retry(store: Store) -> None:
    [accepted] = store.upload(change("p-1"))
    store.ledger.settle([Outcome(claim, code="internal") for claim in store.claim()])
    store.jobs.retry("shop", accepted.job_id)


def cancel(store: Store) -> None:
    [accepted] = store.upload(change("p-9"))
    store.jobs.cancel("shop", accepted.job_id)


def keep_receipts(store: Store) -> None:
    store.upload(change("p-1"), receipt=receipt())
    store.receipts.keep_answer(receipt(), 202, "{}")
    store.receipts.receipt("shop", "key-1")
    store.receipts.forget_receipts()


def forget_job(store: Store) -> None:
    store.upload(change("p-1"))
    settle_next(store)
    store.jobs.forget_finished(store.clock())


def remember(store: Store) -> None:
    store.memory.remember([Remembered("https://shop.example/a", content_hash("a"), None, None, store.clock())])
    store.memory.recall(["https://shop.example/a"])


def import_step(store: Store) -> None:
    store.jobs.open_import("shop", "blob", ImportOptions())
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
    "claim and renew": lambda store: store.ledger.renew(store.claim(), 60),
    "claim of facts": lambda store: store.claim(work=Work.FACTS),
    "fetch": fetch_next,
    "what waits": lambda store: [store.ledger.waiting(work) for work in Work],
    "what was settled since": lambda store: store.ledger.mark_due_since(store.clock()),
    "depth of the queue": lambda store: store.ledger.due(),
    "backlog of a merchant": lambda store: store.ledger.backlog("shop"),
    "backlog of all": lambda store: store.ledger.backlog(),
    "import": import_step,
    "imports due": lambda store: store.jobs.imports_due("shop"),
    "files to be read": lambda store: store.jobs.unread_sources(),
    "retry": fail_and_retry,
    "cancel": cancel,
    "receipts": keep_receipts,
    "old jobs": forget_job,
    "old addresses": lambda store: store.memory.forget_addresses(store.clock()),
    "addresses": remember,
    "job": read_job,
    "product": lambda store: store.catalog.product(key("p-1")),
    "products": lambda store: store.catalog.products([key("p-1"), key("p-2"), key("p-1", "other")]),
    "whose picture": lambda store: store.catalog.owns_image("shop", content_hash("a")),
    "pictures in use": lambda store: store.catalog.referenced([content_hash("a"), content_hash("b")]),
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
        ("what waits", "ix_products_due"),
        ("what was settled since", "ix_products_indexed"),
        ("depth of the queue", "ix_products_due"),
        ("backlog of a merchant", r"ix_products_due \(lane=\? AND merchant=\?\)"),
        ("return leases", "ix_products_leased"),
        ("import", "ix_jobs_unread"),
        ("job", "ix_job_items_state"),
        ("retry", "ix_job_items_state"),
        ("cancel", "ix_job_items_state"),
        ("receipts", "ix_receipts_created"),
        ("old jobs", "ix_jobs_finished"),
        ("old jobs", "ix_receipts_job"),
        ("old addresses", "ix_fetched_urls_fetched"),
        ("whose picture", "ix_pictures_content"),
        ("pictures in use", "ix_pictures_content"),
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
    assert any(re.search(f"INDEX {index}", line) for line in plans.lines())


def test_a_claim_neither_sorts_nor_reads_what_is_due(engine: Engine) -> None:
    """Each step of it goes to a place in the index: a merchant with 100,000 products costs what one with 5 does."""
    store = sql_store(engine)
    store.upload(change("p-1"))
    plans = Plans(engine)
    store.claim()
    lines = plans.lines()
    assert not [line for line in lines if "TEMP B-TREE" in line]
    due = [line for line in lines if "ix_products_due" in line]
    assert len(due) >= 4
    assert all(line.startswith("SEARCH products") and "(lane=?" in line for line in due)


def test_a_batch_of_many_merchants_is_settled_without_reading_what_waits(engine: Engine) -> None:
    store = sql_store(engine)
    for n in range(32):
        store.upload(change("p-1", merchant=f"m-{n}"), change("p-2", merchant=f"m-{n}", row=2))
    claims = store.claim()
    assert len({claim.key.merchant for claim in claims}) == 32
    plans = Plans(engine)
    store.ledger.settle([Outcome(claim, (picture("a", PictureState.SEARCHABLE),)) for claim in claims])
    lines = plans.lines()
    assert any("ix_job_items_waiting (merchant=? AND product_id=?)" in line for line in lines)
    assert not [line for line in lines if line.startswith("SCAN")]


def test_a_job_is_read_without_its_items(engine: Engine) -> None:
    store = sql_store(engine)
    [accepted] = store.upload(change("p-1"))
    plans = Plans(engine)
    store.jobs.job("shop", accepted.job_id)
    [line] = plans.lines()
    assert "jobs USING INDEX sqlite_autoindex_jobs_1 (job_id=?)" in line
