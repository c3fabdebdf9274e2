"""An embedded index for tests of its adapter."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.vectors import open_shard
from backend.vectors.edge_shard import asked
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


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What open shards tell the engine from now on, by name."""
    names = list[str]()

    def noting(call: Callable[..., Any], *arguments: Any) -> Any:
        names.append(call.__name__)
        return asked(call, *arguments)

    monkeypatch.setattr(open_shard, "asked", noting)
    return names
