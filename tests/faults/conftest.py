"""Real servers to be killed, with the small CLIP folder: what its vectors mean does not matter here."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.tiny_clip import save_tiny_clip
from tests.installation import Installation


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_clip(tmp_path_factory.mktemp("clip") / "tiny")


@pytest.fixture
def installation(tmp_path: Path, tiny_clip: Path) -> Iterator[Installation]:
    """Not started yet."""
    installation = Installation(tmp_path / "data", SHELFSIGHT_MODEL=str(tiny_clip))
    yield installation
    if installation._process is not None:
        installation.stop()
