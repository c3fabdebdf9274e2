"""In which numbers a model's linear layers compute."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from backend.embedding.fused_linear import FusedLinear
from backend.embedding.integer_linear import IntegerLinear

Linear = FusedLinear | IntegerLinear
"""What stands for a linear layer: both are written into programs alike."""


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Numbers are kept in `dtype`. `whole`: it is float32, and layers multiply whole numbers of eight bits."""

    dtype: torch.dtype
    whole: bool = False

    def linear(
        self, weight: Tensor, bias: Tensor | None, activation: str = "none", algorithm: str = "", after: str = "none"
    ) -> Linear:
        """A layer of these float32 weights, then an activation. `after`: which one gave its inputs."""
        if self.whole:
            return IntegerLinear(weight, bias, activation, algorithm, after)
        return FusedLinear(weight.to(self.dtype), None if bias is None else bias.to(self.dtype), activation, algorithm)

    def of(self, layer: Any, activation: str = "none", algorithm: str = "", after: str = "none") -> Linear:
        """`linear`, with a plain layer's weights."""
        return self.linear(layer.weight.data, _bias(layer), activation, algorithm, after)

    def feed_forward(self, block: Any) -> tuple[Linear, Linear]:
        """What stands for fc1 and the activation, and for fc2, of a block with `is_known_block`."""
        kind = type(block.activation_fn).__name__
        if kind == _QUICK_KIND:
            bias = None if block.fc1.bias is None else block.fc1.bias.data * _QUICK
            first = self.linear(block.fc1.weight.data * _QUICK, bias, "swish")
            return first, self.linear(block.fc2.weight.data / _QUICK, _bias(block.fc2), after="swish")
        return self.of(block.fc1, "gelu", _GELUS[kind]), self.of(block.fc2, after="gelu")


def is_known_block(block: Any) -> bool:
    """Whether it is a feed-forward block as CLIP and SigLIP have it: fc1, an activation, fc2."""
    parts = dict(block.named_children())
    return (
        {"fc1", "fc2", "activation_fn"} <= parts.keys()
        and type(parts["fc1"]) is type(parts["fc2"]) is torch.nn.Linear
        and type(parts["activation_fn"]).__name__ in {_QUICK_KIND, *_GELUS}
    )


_QUICK_KIND = "QuickGELUActivation"

_QUICK = 1.702
"""QuickGELU(x) = x sigmoid(1.702 x), OpenAI's approximation of GELU. With swish(y) = y sigmoid(y), which oneDNN knows,
it is swish(1.702 x) / 1.702: the factors go into the weights before and after it."""

_GELUS = {"GELUActivation": "none", "GELUTanh": "tanh", "PytorchGELUTanh": "tanh"}


def _bias(layer: Any) -> Tensor | None:
    return None if layer.bias is None else layer.bias.data
