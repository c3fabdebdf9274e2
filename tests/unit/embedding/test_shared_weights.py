"""Processes that load one model have its weights in memory once."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from backend.embedding.shared_weights import share_weights
from backend.errors import ModelUnavailable


def model(seed: int = 0, dtype: torch.dtype = torch.bfloat16) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4)).to(dtype)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "model-cache" / "weights.safetensors"


@pytest.mark.parametrize("before", [None, b"", b"no weights", model(seed=1), model(dtype=torch.float32)])
def test_it_computes_the_same_whatever_the_file_held(before: object, file: Path) -> None:
    if isinstance(before, nn.Module):
        share_weights(before, file)
    elif isinstance(before, bytes):
        file.parent.mkdir()
        file.write_bytes(before)
    shared, plain, x = model(), model(), torch.ones((2, 8), dtype=torch.bfloat16)
    share_weights(shared, file)
    assert torch.equal(shared(x), plain(x))
    assert {path.name for path in file.parent.iterdir()} == {file.name, "weights.lock"}


def test_a_second_process_writes_nothing(file: Path) -> None:
    share_weights(model(), file)
    written = file.stat().st_mtime_ns
    share_weights(model(), file)
    assert file.stat().st_mtime_ns == written


def test_a_place_that_cannot_be_written_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelUnavailable, match="cannot be kept in"):
        share_weights(model(), tmp_path / "file" / "weights.safetensors")


PROCESS = """
import sys
from pathlib import Path
import torch
from torch import nn
from backend.embedding.shared_weights import share_weights

def private():
    rows = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(row.split()[1]) for row in rows if row.startswith("Private")) * 1024

torch.set_num_threads(1)
before = private()
torch.manual_seed(0)
model = nn.Linear(4096, 4096, bias=False)
share_weights(model, Path(sys.argv[1]))
with torch.inference_mode():
    model(torch.ones(1, 4096))  # every page is read
print("ready", flush=True)
sys.stdin.readline()  # until both are
print(private() - before, flush=True)
sys.stdin.readline()  # what only one process maps is its own
"""


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="only Linux tells")
def test_two_processes_hold_one_copy(file: Path) -> None:
    """Of 67 MB; what else they take is smaller."""
    both = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    try:
        assert [answer(one) for one in both] == ["ready", "ready"]
        for one in both:
            ask(one)
        assert max(int(answer(one)) for one in both) < 40e6
    finally:
        for one in both:
            one.communicate("end\n", timeout=60)


def ask(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go on\n")
    process.stdin.flush()


def answer(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()
