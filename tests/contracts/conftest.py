"""The six ports of the catalog on every backend, for the tests of each. At the end: which vector stores were tried."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contracts import vector_stores
from tests.contracts.catalog_backends import BACKENDS, Store, opened


@pytest.fixture(params=BACKENDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with opened(request.param, tmp_path) as it:
        yield it


@pytest.fixture(params=BACKENDS)
def weighted(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store whose merchant `heavy` has three turns for one of any other."""
    with opened(request.param, tmp_path, weights={"heavy": 3}) as it:
        yield it


def pytest_itemcollected(item: pytest.Item) -> None:
    if isinstance(item, pytest.Function) and item.path.name in {"test_vector_store.py", "test_filters.py"}:
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        item.user_properties += [
            (VECTOR_STORE, parameters[name]) for name in ("store", "own_store") if name in parameters
        ]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    passed: Counter[object] = Counter()
    for report in terminalreporter.stats.get("passed", []):
        if report.when == "call":
            passed.update(value for name, value in report.user_properties if name == VECTOR_STORE)
    if passed:
        ran = ", ".join(f"{kind} ({passed[kind]})" for kind in vector_stores.NAMES if passed[kind])
        terminalreporter.write_line(f"vector stores held to their contract, with tests passed: {ran}")


VECTOR_STORE = "vector store"
"""The name under which a test's report carries the kind it was run on."""
