"""A transformer's linear layers in oneDNN's own operations: weights laid out once instead of at each call, and an
activation applied while the numbers are still in the processor's cache.

torch gives these operations to its compiler only, under private names; compiling takes most of a minute at each start,
calling them takes this page. Whoever uses it compares vectors with those of float32 first (`precision.agrees`).
Measured on two cores with bfloat16 and ViT-B/32, milliseconds a picture: 27 before and 24 with these in a batch, 61
before and 47 for one picture alone, from its JPEG to its vector.
"""

from typing import Any, Final

import torch
from torch import Tensor, nn

from backend.embedding.onednn import operation

_QUICK: Final = 1.702
"""QuickGELU(x) = x sigmoid(1.702 x), OpenAI's approximation of GELU. With swish(y) = y sigmoid(y), which oneDNN knows,
it is swish(1.702 x) / 1.702: the factors go into the weights before and after it."""


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


class FusedPatches(nn.Module):
    """A convolution whose windows lie side by side, as one linear layer over them.

    Half the time of the convolution in a batch, a fifth for one picture, whose weights torch would lay out anew: 6 of
    61 ms of processor time.
    """

    def __init__(self, convolution: nn.Conv2d, dtype: torch.dtype) -> None:
        super().__init__()
        self.weight = torch.empty(0, dtype=dtype)
        """Only to be asked for its type."""
        self._side, self._over = convolution.kernel_size
        self._linear = FusedLinear(
            convolution.weight.data.flatten(1).to(dtype),
            None if convolution.bias is None else convolution.bias.data.to(dtype),
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """(n, channels, height, width) -> (n, outputs, rows, columns); what is left at the edges is not seen."""
        count, channels, height, width = pixels.shape
        rows, columns = height // self._side, width // self._over
        seen = pixels[:, :, : rows * self._side, : columns * self._over]
        windows = seen.reshape(count, channels, rows, self._side, columns, self._over).permute(0, 2, 4, 1, 3, 5)
        result: Tensor = self._linear(windows.reshape(count, rows * columns, -1))
        return result.transpose(1, 2).view(count, -1, rows, columns)


def fuse(model: nn.Module, dtype: torch.dtype) -> None:
    """Replace a float32 model's linear layers, and its cutting into patches, by fused ones in `dtype` on a processor.

    Raises `RuntimeError`, as torch does, where oneDNN or one of its operations is not there; the model cannot be used
    then.
    """
    for module in model.modules():
        if {"fc1", "fc2", "activation_fn"} <= {name for name, _ in module.named_children()}:
            _fuse_activation(module, dtype)
        for name, layer in list(module.named_children()):
            if type(layer) is nn.Linear:
                setattr(module, name, _fused(layer, dtype))
            elif type(layer) is nn.Conv2d and _is_side_by_side(layer):
                setattr(module, name, FusedPatches(layer, dtype))


def _is_side_by_side(layer: nn.Conv2d) -> bool:
    plain = layer.groups == 1 and layer.dilation == (1, 1) and layer.padding in {(0, 0), "valid"}
    return plain and layer.stride == layer.kernel_size


def _fuse_activation(block: nn.Module, dtype: torch.dtype) -> None:
    """A feed-forward block as CLIP and SigLIP have it: fc1, an activation, fc2."""
    kind = type(block.activation_fn).__name__
    if kind == "QuickGELUActivation":
        block.fc1 = _fused(block.fc1, dtype, "swish", factor=_QUICK, bias_factor=_QUICK)
        block.fc2 = _fused(block.fc2, dtype, factor=1 / _QUICK)
    elif kind in _ACTIVATIONS:
        block.fc1 = _fused(block.fc1, dtype, "gelu", _ACTIVATIONS[kind])
    else:
        return
    block.activation_fn = nn.Identity()


_ACTIVATIONS: Final = {"GELUActivation": "none", "GELUTanh": "tanh", "PytorchGELUTanh": "tanh"}


def _fused(
    layer: Any,
    dtype: torch.dtype,
    activation: str = "none",
    algorithm: str = "",
    *,
    factor: float = 1.0,
    bias_factor: float = 1.0,
) -> FusedLinear:
    bias = None if layer.bias is None else (layer.bias.data * bias_factor).to(dtype)
    return FusedLinear((layer.weight.data * factor).to(dtype), bias, activation, algorithm)
