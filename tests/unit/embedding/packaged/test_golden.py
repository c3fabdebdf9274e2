import json

import numpy as np
import pytest

from backend.embedding.packaged.encoder import PackagedEncoder
from tests.unit.embedding.packaged.golden import FILE, digests

pytestmark = pytest.mark.slow


def test_the_vectors_are_those_of_the_golden_file(encoder: PackagedEncoder) -> None:
    golden = json.loads(FILE.read_text("utf-8"))
    for side, now in digests(encoder).items():
        assert golden[side].keys() == now.keys()
        for name, numbers in now.items():
            assert np.allclose(numbers, golden[side][name], atol=1e-3), (
                f"{name}: the vectors have changed. If that is meant, raise Recipe.version (or the index will mix two "
                "spaces) and run python -m tests.unit.embedding.packaged.golden"
            )


def test_the_golden_file_is_of_this_fingerprint(encoder: PackagedEncoder) -> None:
    assert json.loads(FILE.read_text("utf-8"))["fingerprint"] == encoder.space.fingerprint
