from collections.abc import Iterable
from typing import Any, cast

import numpy as np
import pytest
import torch

from backend.embedding.packaged import fastest as room
from backend.embedding.packaged.class_space import Floats
from backend.embedding.packaged.fastest import fastest
from backend.embedding.packaged.network import FeatureTower
from backend.embedding.packaged.pictures import PictureSide, Tower

TURNED = {torch.float32: 0.0, torch.bfloat16: 0.05}
"""By how much each type turns the vectors: .05 is a cosine of .9987."""


class PlainTower:
    dtype = torch.float32
    blocks = ()


class StubbedFused:
    def __init__(self, _blocks: Iterable[object], dtype: torch.dtype, _side: int) -> None:
        self.dtype = dtype


class StubbedSide:
    def __init__(self, tower: Tower, turned: dict[torch.dtype, float]) -> None:
        self.tower, self.turned = tower, turned

    def check_vectors(self) -> Floats:
        angle = 0.0 if isinstance(self.tower, PlainTower) else self.turned[self.tower.dtype]
        return np.array([[np.cos(angle), np.sin(angle)]], dtype=np.float32)


def tower_used(turned: dict[torch.dtype, float], dtype: torch.dtype = torch.bfloat16) -> Any:
    side = fastest(
        cast("FeatureTower", PlainTower()), lambda tower: cast("PictureSide", StubbedSide(tower, turned)), dtype
    )
    return cast("StubbedSide", side).tower


@pytest.fixture(autouse=True)
def stubbed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "FusedTower", StubbedFused)


def test_the_faster_type_is_used_where_vectors_stay_the_same(caplog: pytest.LogCaptureFixture) -> None:
    assert tower_used(TURNED).dtype == torch.bfloat16
    assert caplog.text == ""


def test_where_it_changes_vectors_float32_is_used_and_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    tower = tower_used(TURNED | {torch.bfloat16: 0.2})
    assert isinstance(tower, StubbedFused)
    assert tower.dtype == torch.float32
    [line] = caplog.messages
    assert "bfloat16" in line
    assert "float32 is used instead" in line


def test_asked_for_float32_nothing_else_is_tried() -> None:
    assert tower_used({torch.float32: 0.0}, torch.float32).dtype == torch.float32


def test_where_the_operations_are_missing_the_public_ones_are_used(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise RuntimeError("this torch has no oneDNN operation")

    monkeypatch.setattr(room, "FusedTower", missing)
    assert isinstance(tower_used(TURNED), PlainTower)
    assert "no oneDNN operation" in caplog.text


def test_where_all_change_vectors_the_public_ones_are_used() -> None:
    assert isinstance(tower_used({torch.float32: 0.2, torch.bfloat16: 0.2}), PlainTower)
