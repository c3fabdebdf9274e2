"""The best number of pictures for a pass: measured once, kept, never an obstacle."""

from pathlib import Path

import pytest

from backend.embedding.tuning import tuned_batch, usable_cores

pytestmark = pytest.mark.slow  # importing torch


class Machine:
    """A pass costs `start` seconds and then `each` a picture."""

    def __init__(self, start: float, each: float) -> None:
        self.start, self.each = start, each
        self.asked: list[int] = []

    def __call__(self, count: int) -> float:
        self.asked.append(count)
        return self.start + self.each * count


def test_the_smallest_size_that_is_nearly_as_fast_as_the_fastest_is_taken() -> None:
    assert tuned_batch("a", Machine(start=0, each=1), (4, 8, 16, 32), None) == 4
    assert tuned_batch("a", Machine(start=1, each=1), (4, 8, 16, 32), None) == 16
    assert tuned_batch("a", Machine(start=100, each=1), (4, 8, 16, 32), None) == 32


def test_it_is_measured_once_for_a_machine_and_model(tmp_path: Path) -> None:
    file, machine = tmp_path / "cache" / "passes.json", Machine(1, 1)
    assert tuned_batch("a", machine, (4, 8, 16, 32), file) == 16
    machine.asked.clear()
    assert tuned_batch("a", machine, (4, 8, 16, 32), file) == 16
    assert machine.asked == []
    assert tuned_batch("b", Machine(0, 1), (4, 8), file) == 4
    assert tuned_batch("a", machine, (4, 8, 16, 32), file) == 16  # both are kept


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a": "16"}', b'{"a": -1}', b"\xff"])
def test_a_damaged_file_is_measured_over(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "passes.json"
    file.write_bytes(content)
    assert tuned_batch("a", Machine(0, 1), (4, 8), file) == 4
    assert tuned_batch("a", Machine(9, 1), (4, 8), file) == 4


def test_a_file_that_cannot_be_written_is_said_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert tuned_batch("a", Machine(0, 1), (4, 8), tmp_path / "file" / "passes.json") == 4
    assert "is measured at each start" in caplog.text


def test_a_slow_machine_measures_fewer_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("backend.embedding.tuning.time.monotonic", lambda: now[0])

    def seconds_of(count: int) -> float:
        now[0] += count
        return float(count)

    assert tuned_batch("a", seconds_of, (4, 8, 16, 32), None) == 4
    assert now[0] == 1 + 3 * 4


def test_there_is_a_core_to_use() -> None:
    assert usable_cores() >= 1
