from pathlib import Path

import pytest
import torch
from torch import nn

from backend.embedding.packaged.network import _folded, load_tower, same_padding
from backend.errors import ModelUnavailable


def test_folding_a_batch_normalisation_changes_nothing() -> None:
    torch.manual_seed(0)
    convolution, norm = nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4, eps=1e-3).eval()
    with torch.no_grad():
        norm.running_mean.uniform_(-1, 1)  # type: ignore[union-attr]
        norm.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
        norm.weight.uniform_(0.5, 2)
        norm.bias.uniform_(-1, 1)
    weights = {"c.weight": convolution.weight} | {f"n.{name}": value for name, value in norm.state_dict().items()}
    weight, bias = _folded(weights, "c", "n")
    x = torch.rand(2, 3, 8, 8)
    assert torch.allclose(nn.functional.conv2d(x, weight, bias), norm(convolution(x)), atol=1e-5)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding"),
    [(260, 3, 2, (0, 1)), (65, 5, 2, (2, 2)), (33, 3, 2, (1, 1)), (9, 5, 1, (2, 2)), (9, 1, 1, (0, 0))],
)
def test_padding_is_tensorflows(size: int, kernel: int, stride: int, padding: tuple[int, int]) -> None:
    assert same_padding(size, kernel, stride) == padding


@pytest.mark.parametrize("contents", [b"", b"no weights", b"PK\x03\x04"])
def test_a_damaged_weights_file_is_our_own_error(tmp_path: Path, contents: bytes) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(contents)
    with pytest.raises(ModelUnavailable, match="EfficientNet"):
        load_tower(path)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"layer.weight": torch.zeros(1)}, path)
    with pytest.raises(ModelUnavailable, match="EfficientNet"):
        load_tower(path)
