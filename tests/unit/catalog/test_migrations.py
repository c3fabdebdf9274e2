import re
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from subprocess import PIPE, Popen

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Column, Engine, Text, text

from backend.catalog.engine import open_engine, reading, writing
from backend.catalog.migrations import config, migrate
from backend.catalog.tables import metadata
from backend.domain.importing import ImportOptions
from backend.domain.job import ItemState, JobKind
from backend.domain.work import Work
from backend.errors import Misconfigured, ShelfsightError
from tests.contracts.catalog_backends import database, engine_of, needs_postgres, sql_store
from tests.factories import change, key

ROOT = Path(__file__).parents[3]
DATABASES = ["sqlite", pytest.param("postgresql", marks=needs_postgres)]

SCHEMA = {
    "sqlite": "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
    "postgresql": """
        SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema() AND tablename != 'alembic_version'
        UNION ALL
        SELECT conrelid::regclass::text || conname || pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = current_schema()::regnamespace AND conrelid::regclass::text != 'alembic_version'
    """,
}

FIRST_VERSION = [
    """INSERT INTO products (merchant, product_id, title, description, category, brand, in_stock, url, attributes,
    version, indexed_version, deleted, lane, due_at, attempts, created_at, updated_at)
    VALUES ('shop', 'p-1', '', '', '', '', true, '', '{}', 1, 0, false, 2, 1, 0, 1, 1)""",
    """INSERT INTO products (merchant, product_id, title, description, category, brand, in_stock, url, attributes,
    version, indexed_version, deleted, lane, due_at, attempts, searchable_at, created_at, updated_at)
    VALUES ('shop', 'shown', '', '', '', '', true, '', '{}', 1, 1, false, 2, 1, 0, 7000000, 1, 1),
    ('shop', 'gone', '', '', '', '', true, '', '{}', 2, 2, true, 0, 1, 0, NULL, 1, 9000000)""",
    "INSERT INTO pictures (merchant, product_id, position, state) VALUES ('shop', 'p-1', 0, 'pending')",
    """INSERT INTO jobs (job_id, merchant, kind, created_at, total, next_row, due_at)
    VALUES ('j-1', 'shop', 'import', 1, 3, 4, 1)""",
    """INSERT INTO jobs (job_id, merchant, kind, created_at, source, next_row, due_at)
    VALUES ('j-2', 'shop', 'import', 1, 'f', 1, 1)""",
    """INSERT INTO job_items (job_id, row, merchant, product_id, version, state) VALUES
    ('j-1', 1, 'shop', 'p-1', 1, 'pending'), ('j-1', 2, 'shop', 'p-2', NULL, 'failed'),
    ('j-1', 3, 'shop', NULL, NULL, 'failed')""",
]


def migrate_what_the_first_version_wrote(engine: Engine) -> None:
    with writing(engine, references=False) as connection:
        command.upgrade(config(connection), "0001")
        for statement in FIRST_VERSION:
            connection.execute(text(statement))
    migrate(engine)


def schema(engine: Engine) -> set[str]:
    """Indexes and constraints. Of SQLite's tables the checks: a column that came later stands elsewhere in the text."""
    with reading(engine) as connection:
        found = set(connection.scalars(text(SCHEMA[engine.dialect.name])))
        if engine.dialect.name == "sqlite":
            for table in connection.scalars(text("SELECT sql FROM sqlite_master WHERE type = 'table'")):
                found.update(re.findall(r"CONSTRAINT ck_\w+ CHECK \(.*\)", table))
        return found


@pytest.mark.parametrize("backend", DATABASES)
class TestMigrate:
    def test_an_empty_database_gets_the_tables_that_are_declared(self, backend: str, tmp_path: Path) -> None:
        with engine_of(backend, tmp_path) as engine:
            migrate(engine)
            with reading(engine) as connection:
                assert compare_metadata(MigrationContext.configure(connection), metadata) == []

    def test_the_conditions_of_indexes_and_checks_are_the_declared_ones_too(self, backend: str, tmp_path: Path) -> None:
        """Alembic compares neither, and SQLite would silently go on without an index whose condition differs."""
        with engine_of(backend, tmp_path) as engine:
            migrate(engine)
            migrated = schema(engine)
            with writing(engine) as connection:
                metadata.drop_all(connection)
                metadata.create_all(connection)
            assert len(migrated) > 10
            assert {item.replace(" ", "") for item in migrated} == {item.replace(" ", "") for item in schema(engine)}

    def test_migrating_again_changes_nothing(self, backend: str, tmp_path: Path) -> None:
        with engine_of(backend, tmp_path) as engine:
            migrate(engine)
            store = sql_store(engine)
            store.upload(change("p-1"))
            before = schema(engine)
            migrate(engine)
            assert schema(engine) == before
            assert store.catalog.product(key("p-1")) is not None

    def test_what_the_first_version_wrote_is_counted_and_goes_on(self, backend: str, tmp_path: Path) -> None:
        with engine_of(backend, tmp_path) as engine:
            migrate_what_the_first_version_wrote(engine)
            store = sql_store(engine)
            job = store.jobs.job("shop", "j-1")
            assert job is not None
            assert job.counts == {ItemState.PENDING: 1, ItemState.FAILED: 2}
            assert store.claimed_ids(work=Work.IMPORTS) == ["p-1"]
            claim = store.jobs.claim_import(60)
            assert claim is not None
            assert (claim.job_id, claim.options, claim.attempts) == ("j-2", ImportOptions(), 1)
            # Whether a worker ever had the product is not known: so it is taken out of the index.
            store.clock.advance(61)
            store.jobs.cancel("shop", "j-1")
            assert store.ledger.due() == 1

    def test_what_was_settled_before_has_a_moment(self, backend: str, tmp_path: Path) -> None:
        with engine_of(backend, tmp_path) as engine:
            migrate_what_the_first_version_wrote(engine)
            ledger = sql_store(engine).ledger
            since = [ledger.mark_due_since(datetime.fromtimestamp(second, UTC)) for second in (10, 9, 7, 0)]
            assert since == [0, 1, 1, 0]

    def test_processes_that_start_together_all_find_the_tables(self, backend: str, tmp_path: Path) -> None:
        code = (
            "import sys; from backend.catalog.engine import open_engine; "
            "from backend.catalog.migrations import migrate; "
            "print('ready', flush=True); sys.stdin.readline(); migrate(open_engine(sys.argv[1]))"
        )
        with database(backend, tmp_path) as url, ExitStack() as stack:
            command = [sys.executable, "-c", code, url]
            started = [
                stack.enter_context(Popen(command, cwd=ROOT, stdin=PIPE, stdout=PIPE, text=True)) for _ in range(2)
            ]
            for process in started:
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n"
            for process in started:
                assert process.stdin is not None
                process.stdin.close()
            assert [process.wait(60) for process in started] == [0, 0]
            engine = open_engine(url)
            sql_store(engine).catalog.ping()
            engine.dispose()

    def test_a_database_of_a_newer_version_is_refused_and_left_alone(self, backend: str, tmp_path: Path) -> None:
        with engine_of(backend, tmp_path) as engine:
            migrate(engine)
            with writing(engine) as connection:
                connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
            before = schema(engine)
            with pytest.raises(Misconfigured, match="9999"):
                migrate(engine)
            assert schema(engine) == before


class TestReferencesOnSqlite:
    """A migration on SQLite rebuilds a table: products, say, which the pictures refer to."""

    @pytest.fixture
    def engine(self, tmp_path: Path) -> Engine:
        engine = open_engine(f"sqlite:///{tmp_path / 'catalog.db'}")
        migrate(engine)
        sql_store(engine).catalog.accept([change("p-1")], JobKind.UPLOAD)
        return engine

    def test_a_rebuilt_table_keeps_its_rows_and_those_that_refer_to_them(self, engine: Engine) -> None:
        with writing(engine, references=False) as connection:
            operations = Operations(MigrationContext.configure(connection))
            with operations.batch_alter_table("products", recreate="always") as batch:
                batch.add_column(Column("colour", Text))
        record = sql_store(engine).catalog.product(key("p-1"))
        assert record is not None
        assert len(record.pictures) == 1
        with reading(engine) as connection:
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
            assert connection.exec_driver_sql("SELECT colour FROM products").all() == [(None,)]
        engine.dispose()

    def test_references_are_checked_again_afterwards(self, engine: Engine) -> None:
        migrate(engine)
        with pytest.raises(ShelfsightError), writing(engine) as connection:
            connection.execute(text("DELETE FROM products"))
        engine.dispose()
