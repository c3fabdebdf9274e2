"""The feature tower in oneDNN's own operations: a convolution cuts its result off, and adds the block's input to it,
while it is still in the processor's cache; its weights are laid out once instead of at each call.

torch gives these operations to its compiler only, under private names; compiling takes 26 s at each start, writing them
down as a `program` takes this page. Whoever uses it compares its vectors with those of `network.FeatureTower` first
(`fastest`). Measured on one core, milliseconds of processor time a picture in fours: torch's public operations 30,
these in float32 25, in bfloat16 13.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from backend.embedding.onednn import operation
from backend.embedding.packaged.network import Block, Convolution, same_padding
from backend.embedding.program import Name, Program, Scalars

_EXACT = 2
"""Convolutions at the beginning that stay in float32. The first of the depthwise ones tells slight differences between
neighbours, which rounding its input and its weights drowns: with it in bfloat16 the features of the worst of 24
photographs had a cosine of .991 to float32's, so .999. It costs half a millisecond."""


class FusedTower:
    """As a tower of these blocks, for pictures of one `side`, in `dtype` (float32 or bfloat16). Keeps no state between
    calls: safe from several threads.

    A picture's features are the same to the last bit whatever is beside it. Raises `RuntimeError`, as torch does, where
    oneDNN or one of its operations is not there.
    """

    def __init__(self, blocks: Iterable[Block], dtype: torch.dtype, side: int) -> None:
        self.dtype = dtype
        program, x, now, number = Program(), Program.INPUT, torch.float32, 0
        for block in blocks:
            convolutions, added_to = list(block), x if block.adds_input else None
            for convolution in convolutions:
                step = _prepared(convolution, torch.float32 if number < _EXACT else dtype, side)
                if step.bias.dtype != now:
                    x, now = program.call("aten::type_as", x, program.tensor(step.bias)), step.bias.dtype
                x = step.written(program, x, added_to if convolution is convolutions[-1] else None)
                number, side = number + 1, -(-side // convolution.stride)
        self._run = program.compiled(x)

    def __call__(self, pixels: Tensor) -> Tensor:
        """(n, 3, side, side) normalised pixels in float32 -> (n, 1280, side / 32, side / 32) in `dtype`."""
        return self._run(pixels)


@dataclass(frozen=True, slots=True)
class _Step:
    weight: Tensor
    """In oneDNN's own layout."""
    bias: Tensor
    padding: int
    stride: int
    groups: int
    clipped: bool

    def written(self, program: Program, x: Name, added_to: Name | None) -> Name:
        """The convolution of x; its result is added to `added_to`, in place, where one is named."""
        tensors = program.tensor(self.weight), program.tensor(self.bias)
        if added_to is not None:
            after = [program.constant(value) for value in (*self.geometry(), "add", 1.0, None, Scalars(), None)]
            return program.call("mkldnn::_convolution_pointwise_", added_to, x, *tensors, *after)
        cut_off = ("hardtanh", Scalars([0, 6])) if self.clipped else ("none", Scalars())
        after = [program.constant(value) for value in (*self.geometry(), *cut_off, "")]
        return program.call("mkldnn::_convolution_pointwise", x, *tensors, *after)

    def geometry(self) -> tuple[list[int], list[int], list[int], int]:
        """As oneDNN's operations take it: padding, stride, dilation, groups."""
        return [self.padding] * 2, [self.stride] * 2, [1, 1], self.groups


def _prepared(convolution: Convolution, dtype: torch.dtype, side: int) -> _Step:
    weight, stride, groups = convolution.weight.data, convolution.stride, convolution.groups
    before, after = same_padding(side, weight.shape[-1], stride)
    if groups > 1:
        weight = _sums_kept(weight, dtype)
    if before != after:
        # oneDNN pads evenly here; a row and a column of zeros before the kernel move it to where it belongs, and
        # looking at a few more pixels costs less than a copy of the map with an odd margin.
        weight = functional.pad(weight, (1, 0, 1, 0))
    weight = weight.to(dtype).contiguous(memory_format=torch.channels_last)
    step = _Step(weight, convolution.bias.data.to(dtype), after, stride, groups, convolution.clipped)
    # The layout does not depend on the number of pictures, which must be told all the same.
    shape = [1, weight.shape[1] * groups, side, side]
    laid_out = operation("_reorder_convolution_weight")(weight, *step.geometry(), shape)
    return replace(step, weight=laid_out)


def _sums_kept(weight: Tensor, dtype: torch.dtype) -> Tensor:
    """Depthwise kernels, rounded to `dtype` so that each keeps its sum.

    Many tell edges: their taps cancel out on an even surface. Rounded one by one they would leave a rest there, on the
    white background of most products. The smallest tap takes it, being written in the finest steps.
    """
    taps = weight.flatten(1)
    rounded = taps.to(dtype).float()
    smallest = rounded.abs().argmin(dim=1, keepdim=True)
    rounded.scatter_add_(1, smallest, (taps - rounded).sum(dim=1, keepdim=True))
    return rounded.view_as(weight)
