"""What accept, record and settle promise, kept through the hardest end a process can have."""

import subprocess
import sys
from pathlib import Path

import pytest

from backend.catalog.engine import open_engine
from backend.domain.job import ItemState
from backend.domain.product import ProductState
from tests.contracts.catalog_backends import database, needs_postgres, sql_store
from tests.factories import key

ROOT = Path(__file__).parents[3]

WRITER = """
import sys
from backend.catalog.engine import open_engine, writing
from backend.catalog.migrations import migrate
from backend.domain.importing import ImportOptions, ImportStep
from backend.domain.work import Outcome
from tests.contracts.catalog_backends import sql_store
from tests.factories import change, deletion
from sqlalchemy import text

engine = open_engine(sys.argv[1])
migrate(engine)
store = sql_store(engine)
store.upload(change("settled"))
store.ledger.settle([Outcome(claim) for claim in store.claim()])
[accepted] = store.upload(change("accepted"))
job_id = store.jobs.open_import("shop", "blob", ImportOptions())
claim = store.jobs.claim_import(60)
store.jobs.record_import(ImportStep(job_id, claim.lease, (change("imported"),), (), 2), lease_seconds=60)
with writing(engine) as connection:  # and a transaction that never ends
    connection.execute(text("UPDATE products SET title = 'half'"))
    print(accepted.job_id, job_id, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("backend", ["sqlite", pytest.param("postgresql", marks=needs_postgres)])
def test_what_was_answered_is_there_after_kill_9_and_what_was_not_is_not(backend: str, tmp_path: Path) -> None:
    with database(backend, tmp_path) as url:
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, url], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        assert writer.stdin is not None
        upload_job, import_job = writer.stdout.readline().split()
        writer.kill()
        writer.wait()
        writer.stdout.close()
        writer.stdin.close()

        engine = open_engine(url)
        store = sql_store(engine)
        records = {
            record.product.key.product_id: record
            for record in store.catalog.products([key(name) for name in ("settled", "accepted", "imported")])
        }
        assert {name: record.state for name, record in records.items()} == {
            "settled": ProductState.SEARCHABLE,
            "accepted": ProductState.PENDING,
            "imported": ProductState.PENDING,
        }
        assert {record.product.title for record in records.values()} == {"Linen dress"}
        assert all(len(record.pictures) == 1 for record in records.values())
        assert store.states(upload_job) == [(1, ItemState.PENDING)]
        assert store.states(import_job) == [(1, ItemState.PENDING)]
        store.clock.advance(3600)
        claim = store.jobs.claim_import(60)
        assert claim is not None
        assert (claim.job_id, claim.next_row) == (import_job, 2)
        assert store.settle_all() == 2
        engine.dispose()
