"""One real server for many tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.installation import Installation


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, tiny_clip: Path) -> Iterator[Installation]:
    """One server for a whole module."""
    installation = Installation(tmp_path_factory.mktemp("running") / "data", SHELFSIGHT_MODEL=str(tiny_clip))
    installation.start()
    yield installation
    installation.stop()
