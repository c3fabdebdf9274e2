"""EfficientNet-lite2 as a feature tower: pixels -> a map of what is where.

The architecture is that of the upstream description (tensorflow/tpu, models/official/efficientnet/lite): the stages of
EfficientNet-B0 without squeeze-and-excitation, ReLU6 for swish, stem and head not widened. Batch normalisation is
folded into the convolutions at loading, which halves the number of passes over memory.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor, nn
from torch.nn import functional

from backend.errors import ModelUnavailable

_NORM_EPSILON = 1e-3
"""TensorFlow's batch normalisation; torch's own default is 1e-5 and gives other features."""

_DEPTH = 1.2
"""lite2's multiplier of B0's repeats. The channels' multiplier is not needed: the weights' shapes carry it."""


@dataclass(frozen=True, slots=True)
class _Stage:
    repeats: int
    kernel: int
    stride: int
    expansion: int


_STAGES = (
    _Stage(1, 3, 1, 1),
    _Stage(2, 3, 2, 6),
    _Stage(2, 5, 2, 6),
    _Stage(3, 3, 2, 6),
    _Stage(3, 5, 1, 6),
    _Stage(4, 5, 2, 6),
    _Stage(1, 3, 1, 6),
)
"""B0's stages."""


@dataclass(frozen=True, slots=True)
class Head:
    """The classifier on top of the tower: (1000, 1280) weights and (1000,) biases."""

    weight: Tensor
    bias: Tensor


class FeatureTower(nn.Module):
    """(n, 3, 260, 260) normalised pixels -> (n, 1280, 9, 9), not negative. No state: safe from several threads.

    In float32 and torch's public operations: what `fused.FusedTower` is compared with, and what runs where that cannot.
    """

    dtype = torch.float32

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        stem = Convolution(*_folded(weights, "_conv_stem", "_bn0"), stride=2, clipped=True)
        head = Convolution(*_folded(weights, "_conv_head", "_bn1"), clipped=True)
        self._blocks = nn.ModuleList([Block([stem]), *_residuals(weights), Block([head])])
        self.requires_grad_(requires_grad=False).eval()
        # Depthwise convolutions read a pixel's channels together: measured about a third faster than NCHW on a CPU.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks this form

    @property
    def blocks(self) -> "Sequence[Block]":
        """In order; the stem and the head are blocks of one convolution."""
        return self._blocks  # type: ignore[return-value]  # torch's stub forgets what is in the list

    def forward(self, pixels: Tensor) -> Tensor:
        """What is where."""
        x = pixels
        for block in self.blocks:
            x = block(x)
        return x


class Convolution(nn.Module):
    """A convolution with its bias, padded as TensorFlow's "SAME" does, optionally cut off at 0 and 6."""

    def __init__(
        self, weight: Tensor, bias: Tensor, *, stride: int = 1, groups: int = 1, clipped: bool = False
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight, requires_grad=False)
        self.bias = nn.Parameter(bias, requires_grad=False)
        self.stride, self.groups, self.clipped = stride, groups, clipped

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, height, width) -> (n, channels, height / stride, width / stride), rounded up."""
        kernel = self.weight.shape[-1]
        top, bottom = same_padding(x.shape[-2], kernel, self.stride)
        left, right = same_padding(x.shape[-1], kernel, self.stride)
        padding = (top, left)
        if (top, left) != (bottom, right):  # torch pads evenly only; a copy of the map is the price of the odd pixel
            x, padding = functional.pad(x, (left, right, top, bottom)), (0, 0)
        x = functional.conv2d(x, self.weight, self.bias, self.stride, padding, groups=self.groups)
        # In place: at 130x130 pixels the copy costs as much as the convolution.
        return functional.relu6(x, inplace=True) if self.clipped else x


class Block(nn.Module):
    """Convolutions one after the other; the input is added to their result where the shapes agree."""

    def __init__(self, convolutions: Sequence[Convolution], *, adds_input: bool = False) -> None:
        super().__init__()
        self._convolutions = nn.ModuleList(convolutions)
        self.adds_input = adds_input

    def __iter__(self) -> Iterator[Convolution]:
        return iter(self._convolutions)  # type: ignore[arg-type]  # torch's stub forgets what is in the list

    def forward(self, x: Tensor) -> Tensor:
        """One after the other."""
        y = x
        for convolution in self:
            y = convolution(y)
        return y.add_(x) if self.adds_input else y


def load_tower(path: Path) -> tuple[FeatureTower, Head]:
    """Read the packaged state dict. Raises `ModelUnavailable` when the file is not what it should be."""
    try:
        # weights_only: a pickle may run code when opened; tensors are all that is wanted from it.
        weights = torch.load(path, map_location="cpu", weights_only=True)
        return FeatureTower(weights), Head(weights["_fc.weight"], weights["_fc.bias"])
    except (OSError, RuntimeError, KeyError, TypeError, EOFError, UnpicklingError) as err:
        raise ModelUnavailable(f"{path} does not hold the weights of EfficientNet-lite2: {err}") from err


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Pixels before and after, for an output of ceil(size / stride); the odd one goes after, as in TensorFlow."""
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _residuals(weights: Mapping[str, Tensor]) -> Iterator[Block]:
    number = itertools.count()
    for position, stage in enumerate(_STAGES):
        # The lite family scales the depth of all stages but the first and the last.
        deepened = 0 < position < len(_STAGES) - 1
        for repeat in range(math.ceil(stage.repeats * _DEPTH) if deepened else stage.repeats):
            yield _residual(weights, f"_blocks.{next(number)}", stage, first=repeat == 0)


def _residual(weights: Mapping[str, Tensor], name: str, stage: _Stage, *, first: bool) -> Block:
    """Inverted: widen, look around channel by channel, narrow."""
    steps: list[Convolution] = []
    if stage.expansion > 1:
        steps.append(Convolution(*_folded(weights, f"{name}._expand_conv", f"{name}._bn0"), clipped=True))
    weight, bias = _folded(weights, f"{name}._depthwise_conv", f"{name}._bn1")
    steps.append(Convolution(weight, bias, stride=stage.stride if first else 1, groups=len(weight), clipped=True))
    steps.append(Convolution(*_folded(weights, f"{name}._project_conv", f"{name}._bn2")))
    return Block(steps, adds_input=not first)


def _folded(weights: Mapping[str, Tensor], convolution: str, norm: str) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution with the batch normalisation behind it folded in."""
    scale = weights[f"{norm}.weight"] / torch.sqrt(weights[f"{norm}.running_var"] + _NORM_EPSILON)
    bias = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale
    return weights[f"{convolution}.weight"] * scale[:, None, None, None], bias
