import mmap
import os
import subprocess
import sys
from pathlib import Path

import pytest

from backend import footprint
from backend.footprint import memory_bytes

linux = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="only Linux tells shares")


def test_memory_that_is_written_to_counts() -> None:
    """In a process of its own: one that has freed as much before takes nothing new for it."""
    code = (
        "from backend.footprint import memory_bytes; before = memory_bytes();"
        "held = bytearray(b'x' * 50_000_000); print(memory_bytes() - before)"
    )
    grown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert int(grown.stdout) > 0.8 * 50_000_000


@linux
def test_of_what_two_processes_map_each_counts_half(tmp_path: Path) -> None:
    """As of weights that are mapped from one file."""
    path = tmp_path / "weights"
    path.write_bytes(b"x" * 50_000_000)
    code = (
        "import mmap, sys; file = open(sys.argv[1], 'rb');"
        "held = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ); sum(held[::4096]);"
        "print('mapped', flush=True); sys.stdin.read()"
    )
    before = memory_bytes()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as held:
        assert sum(held[:: os.sysconf("SC_PAGE_SIZE")]) > 0  # every page is read
        alone = memory_bytes()
        command = [sys.executable, "-c", code, str(path)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "mapped\n"
            together = memory_bytes()
            other.communicate()
    assert before is not None
    assert alone is not None
    assert together is not None
    assert alone - before > 40_000_000
    assert 15_000_000 < alone - together < 35_000_000


@pytest.mark.parametrize("statm", [None, "", "nonsense here", "5000 1000 0"])
def test_without_shares_less_exact_numbers_are_told(
    statm: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if statm is not None:
        (tmp_path / "statm").write_text(statm)
    monkeypatch.setattr(footprint, "_PROC", tmp_path)
    told = memory_bytes()
    assert told is not None
    if statm == "5000 1000 0":
        assert told == 1000 * os.sysconf("SC_PAGE_SIZE")
    else:
        assert 10e6 < told < 1e12  # the largest so far, in bytes rather than kilobytes


def test_where_nothing_is_known_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footprint, "_PROC", tmp_path)
    monkeypatch.setitem(sys.modules, "resource", None)
    assert memory_bytes() is None
