"""Fused layers compute what the plain ones do."""

import copy
from typing import Any

import pytest
import torch
from torch import nn
from transformers.activations import ACT2FN

from backend.embedding.fused_linear import FusedLinear, FusedPatches, Levels
from backend.embedding.fusing import fuse

pytestmark = pytest.mark.slow  # importing transformers


class FeedForward(nn.Module):
    """As CLIP and SigLIP name its parts."""

    def __init__(self, activation: str) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(32, 64), nn.Linear(64, 32)
        self.activation_fn = ACT2FN[activation]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.fc2(self.activation_fn(self.fc1(x)))
        return result


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(2, 7, 32, generator=torch.Generator().manual_seed(0)) * 3


@pytest.mark.parametrize("activation", ["quick_gelu", "gelu", "gelu_pytorch_tanh", "relu"])
def test_a_feed_forward_block_gives_the_same(activation: str, x: torch.Tensor) -> None:
    plain = FeedForward(activation).eval()
    fused = copy.deepcopy(plain)
    fuse(fused, torch.float32)
    assert isinstance(fused.fc1, FusedLinear)
    with torch.inference_mode():
        torch.testing.assert_close(fused(x), plain(x), atol=1e-5, rtol=1e-4)


def test_layers_alone_and_without_a_bias_give_the_same(x: torch.Tensor) -> None:
    plain = nn.Sequential(nn.Linear(32, 16, bias=False), nn.LayerNorm(16), nn.Linear(16, 8)).eval()
    fused = copy.deepcopy(plain)
    fuse(fused, torch.float32)
    with torch.inference_mode():
        torch.testing.assert_close(fused(x), plain(x), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(32, 32), (48, 16), (37, 41)])
def test_the_cutting_into_patches_gives_the_same(shape: tuple[int, int], bias: bool) -> None:
    pixels = torch.randn(2, 3, *shape, generator=torch.Generator().manual_seed(1))
    plain = nn.Sequential(nn.Conv2d(3, 24, kernel_size=8, stride=8, bias=bias, padding="valid")).eval()
    fused = copy.deepcopy(plain)
    fuse(fused, torch.float32)
    assert isinstance(fused[0], FusedPatches)
    with torch.inference_mode():
        torch.testing.assert_close(fused(pixels), plain(pixels), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("bias", [True, False])
def test_a_model_that_is_given_levels_sees_what_it_expects(bias: bool) -> None:
    counted = torch.randint(-128, 128, (2, 16, 24, 3), generator=torch.Generator().manual_seed(2), dtype=torch.int8)
    counted = counted.permute(0, 3, 1, 2)
    levels = Levels(torch.tensor([0.01, 0.02, 0.03]), torch.tensor([-0.5, 0.1, 2.0]))
    expected = counted * levels.scale.view(1, 3, 1, 1) + levels.shift.view(1, 3, 1, 1)
    plain = nn.Sequential(nn.Conv2d(3, 24, kernel_size=8, stride=8, bias=bias)).eval()
    fused = copy.deepcopy(plain)
    assert fuse(fused, torch.float32, levels)
    with torch.inference_mode():
        torch.testing.assert_close(fused(counted.float()), plain(expected), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "layers",
    [
        [nn.Conv2d(3, 3, kernel_size=4, stride=4), nn.Conv2d(3, 8, kernel_size=2, stride=2)],
        [nn.Conv2d(1, 8, kernel_size=4, stride=4)],
        [nn.Conv2d(3, 8, kernel_size=4, stride=2)],
    ],
    ids=["two cuts", "another number of channels", "no cut"],
)
def test_where_it_is_not_clear_what_the_pixels_meet_levels_are_not_taken(layers: list[nn.Module]) -> None:
    levels = Levels(torch.ones(3), torch.zeros(3))
    assert not fuse(nn.Sequential(*layers), torch.float32, levels)


@pytest.mark.parametrize("other", [{"stride": 4}, {"stride": 8, "padding": 1}, {"stride": 8, "dilation": 2}])
def test_another_convolution_is_left_as_it_is(other: dict[str, Any]) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, kernel_size=8, **other))
    fuse(model, torch.float32)
    assert type(model[0]) is nn.Conv2d


def test_a_layer_that_others_reach_into_is_left_as_it_is() -> None:
    """torch's attention takes its output layer's weights itself."""
    attention = nn.MultiheadAttention(32, 4)
    fuse(attention, torch.float32)
    assert not isinstance(attention.out_proj, FusedLinear)


def test_a_torch_without_the_operations_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.ops, "mkldnn", object())
    with pytest.raises(RuntimeError, match="this torch has no oneDNN operation"):
        fuse(nn.Sequential(nn.Linear(4, 4)), torch.float32)
