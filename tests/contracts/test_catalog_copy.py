"""A catalog copied to a file and back, and from one database to another, holds what it held."""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, Sequence, insert, inspect, select

from backend.catalog.copying import CopiedCatalog, copy_from_file, copy_rows, copy_to_file, rows_by_table
from backend.catalog.engine import open_engine, reading, writing
from backend.catalog.indexes import SqlIndexes
from backend.catalog.migrations import migrate
from backend.catalog.tables import metadata, products
from backend.domain.generation import IndexState
from backend.domain.importing import ImportOptions
from backend.domain.job import ItemState, JobKind
from backend.domain.work import Remembered
from backend.errors import CatalogUnavailable, Misconfigured
from backend.ports import Space
from tests.contracts.catalog_backends import Clock, Store, engine_of, needs_postgres, sql_store
from tests.factories import change, content_hash, deletion, facts_change, picture, receipt, refused_picture, url_picture

KINDS = ["sqlite", pytest.param("postgresql", marks=needs_postgres)]


@pytest.fixture(params=KINDS)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with engine_of(request.param, tmp_path) as it:
        migrate(it)
        yield it


@pytest.fixture(params=KINDS)
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database nobody has written to, not yet migrated."""
    folder = tmp_path / "empty"
    folder.mkdir()
    with engine_of(request.param, folder) as it:
        yield it


def filled(engine: Engine) -> Store:
    """Every table has rows; products are searchable, waiting, claimed, deleted."""
    store = sql_store(engine)
    store.upload(
        change("a", attributes={"größe": ("s", "m"), "weight": 1.5, "new": True}, title="Kleid „Lena“ 👗"),
        receipt=receipt(),
    )
    store.upload(change("b", pictures=(picture("b1"), refused_picture(), url_picture()), merchant="other"))
    store.settle_all()
    store.upload(change("a", pictures=(picture("a2"),)))
    store.upload(deletion("a"), kind=JobKind.DELETE)
    store.upload(change("c", price=None))
    store.settle_all()
    store.upload(facts_change("c"))
    store.claim(1)
    store.jobs.open_import("shop", "0" * 32, ImportOptions(), receipt("key-2"))
    store.memory.remember([Remembered("https://shop.example/a", content_hash("a"), '"e"', None, store.clock())])
    SqlIndexes(engine, store.clock).begin(Space("new", 8, "f2"), Space("old", 8, "f1"))
    return store


def contents(engine: Engine) -> dict[str, list[str]]:
    with reading(engine) as connection:
        return {
            t.name: sorted(repr(tuple(row)) for row in connection.execute(select(t))) for t in metadata.sorted_tables
        }


def test_a_copy_in_a_file_holds_everything_and_comes_back_into_either_database(
    engine: Engine, empty: Engine, tmp_path: Path
) -> None:
    filled(engine)
    before = contents(engine)
    assert [name for name, rows in before.items() if not rows] in ([], ["dropped_pictures"])
    copy_to_file(engine, tmp_path / "copy.db")
    assert contents(engine) == before
    copy_from_file(tmp_path / "copy.db", empty)
    assert contents(empty) == before
    assert sorted(path.name for path in tmp_path.glob("copy.db*")) == ["copy.db"]


def test_rows_go_from_one_database_to_another_and_work_goes_on_there(engine: Engine, empty: Engine) -> None:
    filled(engine)
    migrate(empty)
    copy_rows(engine, empty)
    assert contents(empty) == contents(engine)
    assert rows_by_table(empty) == rows_by_table(engine)
    there = sql_store(empty)
    there.ledger.return_leases(expired_only=False)
    there.upload(change("d"))
    there.settle_all()
    assert there.states(there.upload(change("e"))[0].job_id)[0][1] is ItemState.PENDING


def test_more_rows_than_are_copied_at_once_all_arrive(engine: Engine, empty: Engine) -> None:
    store = sql_store(engine)
    store.upload(*[change(f"p-{number}", row=number + 1) for number in range(2_100)])
    migrate(empty)
    copy_rows(engine, empty)
    assert rows_by_table(empty) == rows_by_table(engine)


def test_a_database_that_holds_something_is_left_alone(engine: Engine, empty: Engine, tmp_path: Path) -> None:
    filled(engine)
    copy_to_file(engine, tmp_path / "copy.db")
    migrate(empty)
    sql_store(empty).upload(change("theirs"))
    before = contents(empty)
    with pytest.raises(Misconfigured, match="empty"):
        copy_rows(engine, empty)
    with pytest.raises(Misconfigured, match="empty"):
        copy_from_file(tmp_path / "copy.db", empty)
    assert contents(empty) == before


def test_what_is_written_while_it_is_copied_is_in_the_copy_as_a_whole_or_not_at_all(
    engine: Engine, tmp_path: Path
) -> None:
    store = sql_store(engine)
    store.upload(change("before"))
    with writing(engine) as connection:
        row = dict(connection.execute(select(products)).mappings().one())
        connection.execute(insert(products).values(row | {"product_id": "half"}))
        if engine.dialect.name == "postgresql":  # SQLite's pool would wait for this very transaction's end to migrate
            copy_to_file(engine, tmp_path / "copy.db")
        else:
            with _second(engine) as other:
                copy_to_file(other, tmp_path / "copy.db")
    copied = CopiedCatalog(tmp_path / "copy.db")
    assert copied.counts()["products"] == 1
    copied.close()


@contextmanager
def _second(engine: Engine) -> Iterator[Engine]:
    """The same file, as another process opens it."""
    with ExitStack() as ends:
        other = open_engine(engine.url.render_as_string(hide_password=False))
        ends.callback(other.dispose)
        yield other


def test_a_copy_tells_what_belongs_to_it(engine: Engine, tmp_path: Path) -> None:
    filled(engine)
    copy_to_file(engine, tmp_path / "copy.db")
    copied = CopiedCatalog(tmp_path / "copy.db")
    assert set(copied.pictures()) == {content_hash("b1"), content_hash("c.jpg")}
    assert copied.sources() == {"0" * 32}
    assert copied.counts() == {"products": 2, "pictures": 2, "jobs": 7}
    assert copied.serving() == 1
    copied.forget_other_indexes()
    assert [it.state for it in SqlIndexes(copied.engine, Clock()).generations()] == [IndexState.SERVING]
    copied.close()


def test_a_file_that_is_damaged_or_no_catalog_is_said(empty: Engine, tmp_path: Path) -> None:
    with engine_of("sqlite", tmp_path) as source:
        migrate(source)
        filled(source)
        copy_to_file(source, tmp_path / "copy.db")
    data = (tmp_path / "copy.db").read_bytes()
    (tmp_path / "half.db").write_bytes(data[: len(data) // 2 // 4096 * 4096])
    (tmp_path / "text.db").write_text("not a database, and long enough to be looked at" * 100)
    for name in ("half.db", "text.db", "missing.db"):
        with pytest.raises(CatalogUnavailable):
            copy_from_file(tmp_path / name, empty)


def test_a_file_of_a_later_version_is_refused(empty: Engine, tmp_path: Path) -> None:
    with engine_of("sqlite", tmp_path) as source:
        migrate(source)
        copy_to_file(source, tmp_path / "copy.db")
    with sqlite3.connect(tmp_path / "copy.db") as later:
        later.execute("UPDATE alembic_version SET version_num = '9999'")
    later.close()
    with pytest.raises(Misconfigured, match="newer"):
        copy_from_file(tmp_path / "copy.db", empty)


def test_no_table_numbers_its_rows() -> None:
    """Else a copy would have to set the counter too, or the next row would have a number that is taken."""
    assert [c for table in metadata.sorted_tables for c in table.columns if isinstance(c.default, Sequence)] == []
    assert [table.name for table in metadata.sorted_tables if table.autoincrement_column is not None] == []


def test_tables_are_all_copied(engine: Engine) -> None:
    assert {*inspect(engine).get_table_names()} - {"alembic_version"} == {t.name for t in metadata.sorted_tables}
