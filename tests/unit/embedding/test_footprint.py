import subprocess
import sys
from pathlib import Path

import pytest

from backend.embedding import footprint
from backend.embedding.footprint import resident_bytes


def test_memory_that_is_written_to_counts() -> None:
    """In a process of its own: one that has freed as much before takes nothing new for it."""
    code = (
        "from backend.embedding.footprint import resident_bytes; before = resident_bytes();"
        "held = bytearray(b'x' * 50_000_000); print(resident_bytes() - before)"
    )
    grown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert int(grown.stdout) > 0.8 * 50_000_000


@pytest.mark.parametrize("text", [None, "", "nonsense here"])
def test_without_proc_the_largest_size_so_far_is_told(
    text: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = resident_bytes()
    if text is not None:
        (tmp_path / "statm").write_text(text)
    monkeypatch.setattr(footprint, "_STATM", tmp_path / "statm")
    largest = resident_bytes()
    assert now is not None
    assert largest is not None
    assert 0.9 * now < largest < 1e12  # bytes, not kilobytes


def test_where_neither_is_known_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footprint, "_STATM", tmp_path / "none")
    monkeypatch.setitem(sys.modules, "resource", None)
    assert resident_bytes() is None
