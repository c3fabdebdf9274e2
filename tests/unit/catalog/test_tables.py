from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from backend.catalog.engine import open_engine, reading
from backend.catalog.migrations import migrate
from backend.catalog.rows import KEYS_PER_STATEMENT, in_parts, product_columns
from backend.catalog.tables import UtcTime, metadata
from backend.domain.importing import ImportOptions
from backend.domain.job import JobKind
from backend.domain.work import Remembered
from backend.ports import Space
from tests.contracts.catalog_backends import sql_store
from tests.factories import change, content_hash, deletion, key, product, receipt

DIALECT = sqlite.dialect()


class TestUtcTime:
    @given(st.datetimes(timezones=st.just(UTC)))
    def test_a_moment_comes_back_to_the_microsecond(self, moment: datetime) -> None:
        stored = UtcTime().process_bind_param(moment, DIALECT)
        assert UtcTime().process_result_value(stored, DIALECT) == moment

    def test_a_moment_of_another_zone_comes_back_in_utc(self) -> None:
        noon = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=2)))
        got = UtcTime().process_result_value(UtcTime().process_bind_param(noon, DIALECT), DIALECT)
        assert got is not None
        assert (got, got.tzinfo) == (noon, UTC)

    def test_a_moment_without_a_zone_is_refused(self) -> None:
        with pytest.raises(ValueError, match="zone"):
            UtcTime().process_bind_param(datetime(2026, 3, 1), DIALECT)  # noqa: DTZ001 - it is about this


class TestRows:
    @pytest.mark.parametrize(
        ("price", "columns"), [("19.90", (199000, 2)), ("5", (50000, 0)), ("0.0001", (1, 4)), ("1E+2", (1000000, 0))]
    )
    def test_a_price_is_two_integers(self, price: str, columns: tuple[int, int]) -> None:
        got = product_columns(product(price=Decimal(price)))
        assert (got["price_units"], got["price_places"]) == columns

    def test_keys_come_each_once_in_order_and_in_parts(self) -> None:
        keys = [key(f"p-{n:04}") for n in range(KEYS_PER_STATEMENT + 1)]
        parts = list(in_parts(reversed(keys + keys)))
        assert [len(part) for part in parts] == [KEYS_PER_STATEMENT, 1]
        assert [item for part in parts for item in part] == keys


def test_every_time_is_stored_as_a_number(tmp_path: Path) -> None:
    """SQLite takes anything into any column: a datetime that missed its type would be text, and sort after numbers."""
    engine = open_engine(f"sqlite:///{tmp_path / 'catalog.db'}")
    migrate(engine)
    store = sql_store(engine)
    store.upload(change("a"), change("b", row=2))
    store.upload(deletion("b"), kind=JobKind.DELETE)
    store.settle_all()
    store.upload(change("c"))
    store.jobs.open_import("shop", "blob", ImportOptions(), receipt())
    store.jobs.claim_import(60)
    store.claim(1)
    store.memory.remember([Remembered("https://shop.example/a", content_hash("a"), None, None, store.clock())])
    [cancelled] = store.upload(change("d"))
    store.jobs.cancel("shop", cancelled.job_id)
    store.indexes.record(store.indexes.begin(Space("next", 8, "b"), Space("first", 8, "a")))
    store.indexes.hold(60)
    kinds: dict[str, set[str]] = {}
    for mark in (False, True):
        if mark:
            store.ledger.mark_all_due()
        with reading(engine) as connection:
            for table in metadata.sorted_tables:
                for column in table.columns:
                    if isinstance(column.type, UtcTime):
                        found = connection.exec_driver_sql(f"SELECT DISTINCT typeof({column.name}) FROM {table.name}")
                        kinds.setdefault(f"{table.name}.{column.name}", set()).update(found.scalars())
    assert len(kinds) == 21
    assert set.union(*kinds.values()) == {"integer", "null"}
    assert all("integer" in kind for kind in kinds.values())
    engine.dispose()
