"""A transformer's linear layers in oneDNN's own operations: weights laid out once instead of at each call, and an
activation applied while the numbers are still in the processor's cache.

torch gives these operations to its compiler only, under private names; compiling takes most of a minute at each start,
calling them takes this page. Whoever uses it compares vectors with those of float32 first (`precision.agrees`).
Measured on two cores with bfloat16 and ViT-B/32, milliseconds a picture: 27 before and 24 with these in a batch, 61
before and 47 for one picture alone, from its JPEG to its vector.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from backend.embedding.onednn import operation
from backend.embedding.program import Name, Program, Scalars


class FusedLinear(nn.Module):
    """A linear layer with oneDNN's layout of its weights, and what follows it. Its weights cannot be read back."""

    def __init__(self, weight: Tensor, bias: Tensor | None, activation: str = "none", algorithm: str = "") -> None:
        super().__init__()
        self._weight = operation("_reorder_linear_weight")(weight.contiguous(), None)
        self._bias = bias
        self._after: tuple[str, list[float], str] = (activation, [], algorithm)

    def forward(self, x: Tensor) -> Tensor:
        """(..., inputs) -> (..., outputs)."""
        result: Tensor = operation("_linear_pointwise")(x, self._weight, self._bias, *self._after)
        return result

    def written(self, program: Program, x: Name, added_to: Name | None = None) -> Name:
        """The same as a line of a program; without its activation, and added to `added_to`, where one is named."""
        layer = program.tensor(self._weight), program.tensor(self._bias)
        if added_to is not None:
            return program.call("mkldnn::_linear_pointwise", x, added_to, *layer, program.constant("add"))
        activation, scalars, algorithm = self._after
        after = [program.constant(value) for value in (activation, Scalars(scalars), algorithm)]
        return program.call("mkldnn::_linear_pointwise", x, *layer, *after)


@dataclass(frozen=True, slots=True)
class Levels:
    """What a model expects of a colour in place of its level: the level times `scale` plus `shift`, by channel."""

    scale: Tensor
    shift: Tensor

    def into(self, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
        """(outputs, channels, height, width) weights for what is expected -> weights and a bias for levels."""
        shifted = torch.einsum("ochw,c->o", weight, self.shift)
        return weight * self.scale.view(1, -1, 1, 1), shifted if bias is None else bias + shifted


class FusedPatches(nn.Module):
    """A convolution whose windows lie side by side, as one linear layer over them.

    Half the time of the convolution in a batch, a fifth for one picture, whose weights torch would lay out anew: 6 of
    61 ms of processor time. Quickest for pixels whose channels lie together (`torch.channels_last`).
    """

    def __init__(self, convolution: nn.Conv2d, dtype: torch.dtype, levels: Levels | None = None) -> None:
        """`levels`: it is given these, whole numbers small enough for `dtype`."""
        super().__init__()
        self.weight = torch.empty(0, dtype=dtype)
        """Only to be asked for its type."""
        self._side, self._over = convolution.kernel_size
        weight, bias = convolution.weight.data, None if convolution.bias is None else convolution.bias.data
        if levels is not None:
            weight, bias = levels.into(weight, bias)
        self._linear = FusedLinear(
            weight.permute(0, 2, 3, 1).flatten(1).to(dtype), None if bias is None else bias.to(dtype)
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """(n, channels, height, width) -> (n, outputs, rows, columns); what is left at the edges is not seen."""
        count, channels, height, width = pixels.shape
        rows, columns = height // self._side, width // self._over
        seen = pixels[:, :, : rows * self._side, : columns * self._over]
        windows = seen.reshape(count, channels, rows, self._side, columns, self._over).permute(0, 2, 4, 3, 5, 1)
        result: Tensor = self._linear(windows.reshape(count, rows * columns, -1))
        return result.transpose(1, 2).view(count, -1, rows, columns)
