from pathlib import Path

import pytest

from tests.fakes.tiny_clip import save_tiny_clip


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small CLIP in transformers' own layout. Shared: copy it before changing it."""
    return save_tiny_clip(tmp_path_factory.mktemp("clip"))
