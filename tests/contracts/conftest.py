"""The catalog's six ports on every backend, for the tests of each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

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
