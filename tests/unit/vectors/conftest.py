"""An embedded index for tests of its adapter."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.vectors.edge_store import EdgeStore
from tests.unit.vectors.folders import folder_in_memory
from tests.unit.vectors.points import SPACE


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    with folder_in_memory(tmp_path) as folder:
        yield folder / "data" / "index"


@pytest.fixture
def store(path: Path) -> Iterator[EdgeStore]:
    made = EdgeStore.create(path, SPACE)
    yield made
    made.close()
