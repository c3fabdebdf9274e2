"""A short run of the crasher; `make faults` is the long one."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.faults.crasher import crash
from tests.faults.memory import Address, Contested, Delete, Owned, Patch, Put, State

SECONDS = 30


@pytest.mark.slow
def test_what_was_confirmed_is_there_after_kills_and_nothing_else_is(tmp_path: Path, tiny_clip: Path) -> None:
    report = crash(tmp_path, tiny_clip, seconds=SECONDS, seed=2)
    assert report.clean, str(report)
    assert report.kills.total >= 2, str(report)
    assert report.confirmed > 50, str(report)


# --- the crasher itself: what it would notice -------------------------------------------------------------------------

ADDRESS = Address("arden", "p", "crash")
FIRST = Put("first", price=Decimal(1), pictures=frozenset({"a"}))
SECOND = Put("second", price=Decimal(2), pictures=frozenset({"b"}))


def test_a_confirmed_write_that_is_gone_is_lost() -> None:
    product = Owned(ADDRESS)
    product.confirmed(FIRST, 1)
    assert product.verdict(None) == "lost"
    product.confirmed(SECOND, 2)
    assert product.verdict(FIRST.on(State())) == "lost"
    assert product.verdict(SECOND.on(State(1))) is None


def test_a_deleted_product_that_is_back_is_a_phantom() -> None:
    product = Owned(ADDRESS)
    product.confirmed(FIRST, 1)
    product.confirmed(Delete(), 2)
    assert product.verdict(FIRST.on(State(2))) == "phantom"
    assert product.verdict(None) is None


def test_an_unanswered_write_may_have_happened_or_not_but_not_twice() -> None:
    product = Owned(ADDRESS)
    product.confirmed(FIRST, 1)
    product.unanswered(SECOND)
    assert product.verdict(FIRST.on(State())) is None
    assert product.verdict(SECOND.on(State(1))) is None
    assert product.verdict(SECOND.on(State(2))) == "wrong"


def test_a_confirmed_write_that_counts_twice_is_wrong() -> None:
    product = Owned(ADDRESS)
    product.confirmed(FIRST, 2)
    assert product.verdict(FIRST.on(State(1))) == "wrong"


def test_of_a_contested_product_the_greatest_confirmed_version_has_to_stand() -> None:
    product = Contested(ADDRESS)
    product.confirmed(FIRST, 1)
    product.confirmed(Patch(Decimal(3)), 3)
    product.confirmed(SECOND, 2)
    patched = State(3, live=True, title="second", price=Decimal(3), pictures=frozenset({"b"}))
    assert product.verdict(patched) is None
    assert product.verdict(SECOND.on(State(1))) == "lost"
    product.confirmed(Patch(Decimal(4)), 3)
    assert product.verdict(patched) == "duplicated"
