from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from backend.embedding.packaged.anchors import cached_anchors
from backend.embedding.packaged.class_space import Floats, unit_rows
from backend.embedding.packaged.sentences import SENTENCE_DIMENSION

TEXTS = ["mug", "hat"]


class CountingModel:
    def __init__(self) -> None:
        self.calls = 0

    def embed(self, texts: Sequence[str]) -> Floats:
        self.calls += 1
        return unit_rows(np.random.default_rng(len(texts)).random((len(texts), SENTENCE_DIMENSION), dtype=np.float32))


@pytest.fixture
def model() -> CountingModel:
    return CountingModel()


def test_anchors_are_computed_once_and_read_afterwards(tmp_path: Path, model: CountingModel) -> None:
    path = tmp_path / "new folder" / "anchors.npz"
    first = cached_anchors(path, "abc", TEXTS, model.embed)
    second = cached_anchors(path, "abc", TEXTS, model.embed)
    assert model.calls == 1
    assert np.array_equal(first, second)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("damage", [b"", b"not a zip", b"PK\x03\x04 cut short"])
def test_a_damaged_file_is_replaced(tmp_path: Path, model: CountingModel, damage: bytes) -> None:
    path = tmp_path / "anchors.npz"
    path.write_bytes(damage)
    cached_anchors(path, "abc", TEXTS, model.embed)
    assert np.array_equal(cached_anchors(path, "abc", TEXTS, model.embed), model.embed(TEXTS))
    assert model.calls == 2  # once for the damaged file, once by this test


def test_a_flipped_byte_is_noticed(tmp_path: Path, model: CountingModel) -> None:
    path = tmp_path / "anchors.npz"
    cached_anchors(path, "abc", TEXTS, model.embed)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    cached_anchors(path, "abc", TEXTS, model.embed)
    assert model.calls == 2


@pytest.mark.parametrize(
    "contents",
    [
        {"fingerprint": np.array("another"), "anchors": unit_rows(np.ones((2, SENTENCE_DIMENSION), np.float32))},
        {"fingerprint": np.array("abc"), "anchors": unit_rows(np.ones((3, SENTENCE_DIMENSION), np.float32))},
        {"fingerprint": np.array("abc"), "anchors": np.ones((2, SENTENCE_DIMENSION), np.float32)},
        {"fingerprint": np.array("abc"), "anchors": np.full((2, SENTENCE_DIMENSION), np.nan, np.float32)},
        {"fingerprint": np.array("abc")},
    ],
    ids=["fingerprint", "count", "length", "nan", "missing"],
)
def test_a_foreign_file_is_replaced(tmp_path: Path, model: CountingModel, contents: dict[str, Floats]) -> None:
    path = tmp_path / "anchors.npz"
    with path.open("wb") as file:
        np.savez(file, **contents)  # type: ignore[arg-type]  # numpy's stub takes the keywords for its own option
    assert np.array_equal(cached_anchors(path, "abc", TEXTS, model.embed), model.embed(TEXTS))


def test_a_pickle_in_the_file_is_never_opened(tmp_path: Path, model: CountingModel) -> None:
    path = tmp_path / "anchors.npz"
    np.savez(path, fingerprint=np.array("abc"), anchors=np.array([{}], dtype=object))
    cached_anchors(path, "abc", TEXTS, model.embed)
    assert model.calls == 1


def test_where_nothing_can_be_written_the_anchors_are_computed_all_the_same(
    tmp_path: Path, model: CountingModel, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a file").write_text("where a folder should be")
    anchors = cached_anchors(tmp_path / "a file" / "anchors.npz", "abc", TEXTS, model.embed)
    assert anchors.shape == (2, SENTENCE_DIMENSION)
    assert "cannot be kept" in caplog.text
