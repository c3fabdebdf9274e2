"""Keys in statements: whatever their number, and however many merchants they are of."""

from pathlib import Path

import pytest
from sqlalchemy import select

from backend.catalog.engine import reading
from backend.catalog.migrations import migrate
from backend.catalog.rows import KEYS_PER_STATEMENT, MERCHANTS_PER_STATEMENT, in_parts, named
from backend.catalog.tables import products
from backend.domain.product import ProductKey
from tests.contracts.catalog_backends import engine_of, needs_postgres

MANY = [ProductKey(f"m-{n % 2_500}", f"p-{n}") for n in range(5_000)]


def test_parts_hold_each_key_once_and_in_order() -> None:
    parts = list(in_parts([*MANY, *reversed(MANY)]))
    assert [key for part in parts for key in part] == sorted(MANY)


@pytest.mark.parametrize("merchants", [1, 2, 99, 2_500])
def test_a_part_is_bounded_in_keys_and_in_merchants(merchants: int) -> None:
    parts = list(in_parts(ProductKey(f"m-{n % merchants}", f"p-{n}") for n in range(5_000)))
    assert all(0 < len(part) <= KEYS_PER_STATEMENT for part in parts)
    assert all(len({key.merchant for key in part}) <= MERCHANTS_PER_STATEMENT for part in parts)
    assert len(parts) == (25 if merchants == 2_500 else 5)


def test_no_keys_are_no_statement() -> None:
    assert list(in_parts([])) == []


@pytest.mark.parametrize("backend", ["sqlite", pytest.param("postgresql", marks=needs_postgres)])
def test_the_database_takes_every_part(backend: str, tmp_path: Path) -> None:
    """SQLite refused a condition that named a thousand merchants."""
    with engine_of(backend, tmp_path) as engine:
        migrate(engine)
        with reading(engine) as connection:
            for part in in_parts(MANY):
                assert connection.execute(select(products.c.merchant).where(named(products, part))).all() == []
