import json

import numpy as np
import pytest

from backend.embedding.packaged.encoder import PackagedEncoder
from tests.unit.embedding.packaged.drawing import GALLERY
from tests.unit.embedding.packaged.golden import FILE, digests

pytestmark = pytest.mark.slow


def test_the_vectors_of_float32_are_those_of_the_golden_file(exact_encoder: PackagedEncoder) -> None:
    golden = json.loads(FILE.read_text("utf-8"))
    for side, now in digests(exact_encoder).items():
        assert golden[side].keys() == now.keys()
        for name, numbers in now.items():
            assert np.allclose(numbers, golden[side][name], atol=1e-3), (
                f"{name}: the vectors have changed. If that is meant, raise Recipe.version (or the index will mix two "
                "spaces) and run python -m tests.unit.embedding.packaged.golden"
            )


def test_vectors_computed_faster_stay_in_the_same_space(
    encoder: PackagedEncoder, exact_encoder: PackagedEncoder
) -> None:
    pictures = list(GALLERY.values())
    cosines = (encoder.embed_images(pictures) * exact_encoder.embed_images(pictures)).sum(axis=1)
    assert cosines.min() > 0.998  # measured in bfloat16: .9993 at worst here, .9980 among 3,781 photographs
    assert encoder.space == exact_encoder.space


def test_the_golden_file_is_of_this_fingerprint(encoder: PackagedEncoder) -> None:
    assert json.loads(FILE.read_text("utf-8"))["fingerprint"] == encoder.space.fingerprint
