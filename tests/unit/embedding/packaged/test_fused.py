import pytest
import torch
from torch import Tensor

from backend.embedding.packaged import fused
from backend.embedding.packaged.fused import FusedTower
from backend.embedding.packaged.network import Block, Convolution
from tests.processor import has_onednn_bfloat16

SIDE = 20


@pytest.fixture
def blocks() -> list[Block]:
    """Small, with everything the real tower has: a cut-off, uneven padding, depthwise, an input that is added."""
    random = torch.Generator().manual_seed(0)

    def convolution(
        out: int, into: int, kernel: int, *, stride: int = 1, groups: int = 1, clipped: bool = True
    ) -> Convolution:
        weight = torch.randn(out, into // groups, kernel, kernel, generator=random) / (into // groups) ** 0.5 / kernel
        bias = torch.randn(out, generator=random) / 4
        return Convolution(weight, bias, stride=stride, groups=groups, clipped=clipped)

    return [
        Block([convolution(16, 3, 3, stride=2)]),
        Block([convolution(16, 16, 3, groups=16), convolution(32, 16, 1, clipped=False)]),
        Block(
            [convolution(64, 32, 1), convolution(64, 64, 5, groups=64), convolution(32, 64, 1, clipped=False)],
            adds_input=True,
        ),
        Block([convolution(64, 32, 1), convolution(64, 64, 3, stride=2, groups=64), convolution(32, 64, 1)]),
    ]


@pytest.fixture
def pixels() -> Tensor:
    values = torch.rand(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return values.contiguous(memory_format=torch.channels_last)


def plainly(blocks: list[Block], x: Tensor) -> Tensor:
    for block in blocks:
        x = block(x)
    return x


@torch.inference_mode()
def test_fused_operations_compute_what_torchs_public_ones_do(blocks: list[Block], pixels: Tensor) -> None:
    features = FusedTower(blocks, torch.float32, SIDE)(pixels)
    assert features.shape == (3, 32, 5, 5)
    assert torch.allclose(features, plainly(blocks, pixels), atol=1e-5)


@pytest.mark.skipif(not has_onednn_bfloat16(), reason="oneDNN has no bfloat16 for this processor (AVX-512)")
@torch.inference_mode()
def test_in_bfloat16_they_are_as_near_as_its_eight_bits_allow(blocks: list[Block], pixels: Tensor) -> None:
    features = FusedTower(blocks, torch.bfloat16, SIDE)(pixels)
    assert features.dtype == torch.bfloat16
    assert torch.allclose(features.float(), plainly(blocks, pixels), atol=0.05)


@torch.inference_mode()
def test_the_given_pixels_are_left_alone(blocks: list[Block], pixels: Tensor) -> None:
    before = pixels.clone()
    FusedTower(blocks, torch.float32, SIDE)(pixels)
    assert torch.equal(pixels, before)


def test_a_rounded_kernel_that_tells_edges_still_sees_none_on_an_even_surface() -> None:
    taps = torch.randn(8, 1, 3, 3, generator=torch.Generator().manual_seed(2))
    edges = taps - taps.mean(dim=(2, 3), keepdim=True)
    kept = fused._sums_kept(edges, torch.bfloat16).bfloat16().float()
    assert kept.sum(dim=(2, 3)).abs().max() < 1e-3 < edges.bfloat16().float().sum(dim=(2, 3)).abs().max()
    assert torch.allclose(kept, edges, atol=0.02)


def test_where_an_operation_is_missing_that_is_said(blocks: list[Block], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.ops, "mkldnn", object())
    with pytest.raises(RuntimeError, match="no oneDNN operation"):
        FusedTower(blocks, torch.float32, SIDE)
