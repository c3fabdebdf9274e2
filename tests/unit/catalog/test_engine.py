import itertools
import sqlite3
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, insert, select, text, update

from backend.catalog.engine import open_engine, reading, writing
from backend.catalog.migrations import migrate
from backend.catalog.tables import jobs
from backend.domain.job import JobKind
from backend.errors import CatalogUnavailable, InvalidField, Misconfigured, ShelfsightError
from tests.contracts.catalog_backends import sql_store
from tests.factories import change, key

JOB = {"job_id": "j", "merchant": "shop", "kind": "upload", "next_row": 1}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path / 'catalog.db'}", wait_seconds=0.2)
    migrate(engine)
    yield engine
    engine.dispose()


def job_ids(engine: Engine) -> list[str]:
    with reading(engine) as connection:
        return list(connection.scalars(select(jobs.c.job_id)))


def add_job(engine: Engine, job_id: str) -> None:
    clock = sql_store(engine).clock
    with writing(engine) as connection:
        now = clock()
        connection.execute(insert(jobs).values(JOB | {"job_id": job_id, "created_at": now, "due_at": now}))


class TestDurability:
    @pytest.mark.parametrize(
        ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 200)]
    )
    def test_every_connection_has_the_settings_that_keep_what_was_accepted(
        self, engine: Engine, pragma: str, value: object
    ) -> None:
        with reading(engine) as one, reading(engine) as other:
            for connection in (one, other):
                assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value

    def test_a_failed_transaction_leaves_nothing(self, engine: Engine) -> None:
        def fail_halfway() -> None:
            with writing(engine) as connection:
                columns = "(job_id, merchant, kind, created_at, next_row, due_at)"
                connection.execute(text(f"INSERT INTO jobs {columns} VALUES ('j', 'shop', 'upload', 1, 1, 1)"))
                assert connection.scalars(select(jobs.c.job_id)).all() == ["j"]
                raise RuntimeError

        with pytest.raises(RuntimeError):
            fail_halfway()
        assert job_ids(engine) == []

    def test_readers_go_on_while_one_writes(self, engine: Engine) -> None:
        with writing(engine) as connection:
            connection.execute(update(jobs).values(total=1))
            assert job_ids(engine) == []


class TestUnavailable:
    def test_a_writer_that_waits_too_long_for_another_process_gives_up(self, engine: Engine, tmp_path: Path) -> None:
        other = sqlite3.connect(tmp_path / "catalog.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(CatalogUnavailable, match="locked"):
            add_job(engine, "a")
        other.execute("ROLLBACK")
        other.close()
        add_job(engine, "a")

    def test_a_writer_that_waits_too_long_for_another_thread_gives_up(self, engine: Engine) -> None:
        refused: list[Exception] = []

        def write() -> None:
            try:
                add_job(engine, "a")
            except CatalogUnavailable as err:
                refused.append(err)

        with writing(engine):
            thread = threading.Thread(target=write)
            thread.start()
            thread.join()
        assert len(refused) == 1
        add_job(engine, "a")

    def test_a_pool_that_is_used_up_is_said_so(self, tmp_path: Path) -> None:
        engine = open_engine(f"sqlite:///{tmp_path / 'catalog.db'}", connections=1, wait_seconds=0.1)
        with reading(engine), pytest.raises(CatalogUnavailable, match="pool"), reading(engine):
            pass
        engine.dispose()

    def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        engine = open_engine(f"sqlite:///{tmp_path / 'missing' / 'catalog.db'}")
        with pytest.raises(CatalogUnavailable, match="unable to open"):
            sql_store(engine).catalog.ping()

    def test_a_file_that_is_no_database(self, tmp_path: Path) -> None:
        (tmp_path / "catalog.db").write_bytes(b"not a database at all" * 100)
        engine = open_engine(f"sqlite:///{tmp_path / 'catalog.db'}")
        with pytest.raises(CatalogUnavailable, match="not a database"):
            sql_store(engine).catalog.ping()
        engine.dispose()

    def test_a_database_without_tables_is_not_well(self, tmp_path: Path) -> None:
        engine = open_engine(f"sqlite:///{tmp_path / 'catalog.db'}")
        with pytest.raises(CatalogUnavailable, match="no such table"):
            sql_store(engine).catalog.ping()
        engine.dispose()

    def test_a_full_disk_refuses_the_change_and_keeps_what_was_there(self, tmp_path: Path) -> None:
        engine = open_engine(f"sqlite:///{tmp_path / 'catalog.db'}")
        migrate(engine)
        engine.dispose()
        event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA max_page_count = 60"))
        catalog = sql_store(engine).catalog
        numbers = itertools.count()

        def accept_for_ever() -> None:
            while True:
                catalog.accept([change(f"p-{next(numbers)}")], JobKind.UPLOAD)

        with pytest.raises(CatalogUnavailable, match="full"):
            accept_for_ever()
        accepted = next(numbers) - 1
        assert accepted > 0
        assert catalog.product(key(f"p-{accepted - 1}")) is not None
        assert catalog.product(key(f"p-{accepted}")) is None
        assert catalog.count()["pending"] == accepted
        engine.dispose()

    def test_a_server_that_does_not_answer_is_not_described_to_callers(self) -> None:
        engine = open_engine("postgresql://someone:secret@127.0.0.1:1/shelfsight")
        with pytest.raises(CatalogUnavailable) as caught:
            sql_store(engine).catalog.ping()
        assert caught.value.detail == "the catalog's database failed: OperationalError"
        assert "127.0.0.1" in str(caught.value.__cause__)


class TestRefusals:
    @pytest.mark.parametrize("title", ["a lone surrogate: \ud800"])
    def test_a_text_that_cannot_be_stored_is_the_callers_fault(self, engine: Engine, title: str) -> None:
        catalog = sql_store(engine).catalog
        with pytest.raises(InvalidField):
            catalog.accept([change("p-1", title=title)], JobKind.UPLOAD)
        assert catalog.product(key("p-1")) is None

    @pytest.mark.parametrize("price", ["1.00001", "1e30"])
    def test_a_price_that_cannot_be_kept_exactly_is_refused(self, engine: Engine, price: str) -> None:
        catalog = sql_store(engine).catalog
        with pytest.raises(InvalidField):
            catalog.accept([change("p-1", price=Decimal(price))], JobKind.UPLOAD)
        assert catalog.product(key("p-1")) is None

    def test_a_broken_rule_of_the_tables_is_a_fault_of_ours(self, engine: Engine) -> None:
        add_job(engine, "a")
        with pytest.raises(ShelfsightError) as caught:
            add_job(engine, "a")
        assert caught.value.code == "internal"

    @pytest.mark.parametrize(
        "url", ["nonsense", "sqlite://", "sqlite:///:memory:", "sqlite:///file::memory:?uri=true", "mysql://host/db"]
    )
    def test_a_url_that_names_no_lasting_database_is_misconfigured(self, url: str) -> None:
        with pytest.raises(Misconfigured):
            open_engine(url)

    @pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2"])
    def test_every_way_to_say_postgresql_means_psycopg_3(self, scheme: str) -> None:
        engine = open_engine(f"{scheme}://someone@127.0.0.1:1/shelfsight")
        assert engine.url.drivername == "postgresql+psycopg"
        assert engine.dialect.driver == "psycopg"
