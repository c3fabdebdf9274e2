"""Replaces the layers of a model on a processor by fused ones."""

from typing import Any, Final

import torch
from torch import nn

from backend.embedding.fused_encoder import FusedEncoder, known_layers
from backend.embedding.fused_linear import FusedPatches, Levels, fused

_QUICK: Final = 1.702
"""QuickGELU(x) = x sigmoid(1.702 x), OpenAI's approximation of GELU. With swish(y) = y sigmoid(y), which oneDNN knows,
it is swish(1.702 x) / 1.702: the factors go into the weights before and after it."""


def fuse(model: nn.Module, dtype: torch.dtype, levels: Levels | None = None) -> bool:
    """Replace a float32 model's linear layers, its cutting into patches and its towers' encoders by fused ones in
    `dtype` on a processor. Whether it takes `levels` for its pixels from now on: a model that cuts them once does.

    Raises `RuntimeError`, as torch does, where oneDNN or one of its operations is not there; the model cannot be used
    then.
    """
    cuts = [layer for layer in model.modules() if type(layer) is nn.Conv2d and _is_side_by_side(layer)]
    taken = levels if len(cuts) == 1 and levels is not None and cuts[0].in_channels == len(levels.scale) else None
    for module in model.modules():
        if {"fc1", "fc2", "activation_fn"} <= dict(module.named_children()).keys():
            _fuse_block(module, dtype)
    for module in model.modules():
        for name, layer in list(module.named_children()):
            if (layers := known_layers(layer)) is not None:
                setattr(module, name, FusedEncoder(layers, dtype))
            elif type(layer) is nn.Linear:
                setattr(module, name, fused(layer, dtype))
            elif isinstance(layer, nn.Conv2d) and layer in cuts:
                setattr(module, name, FusedPatches(layer, dtype, taken))
    return taken is not None


def _is_side_by_side(layer: nn.Conv2d) -> bool:
    plain = layer.groups == 1 and layer.dilation == (1, 1) and layer.padding in {(0, 0), "valid"}
    return plain and layer.stride == layer.kernel_size


def _fuse_block(block: Any, dtype: torch.dtype) -> None:
    """A feed-forward block as CLIP and SigLIP have it: fc1, an activation, fc2."""
    kind = type(block.activation_fn).__name__
    if kind == "QuickGELUActivation":
        block.fc1 = fused(block.fc1, dtype, "swish", factor=_QUICK, bias_factor=_QUICK)
        block.fc2 = fused(block.fc2, dtype, factor=1 / _QUICK)
    elif kind in _ACTIVATIONS:
        block.fc1 = fused(block.fc1, dtype, "gelu", _ACTIVATIONS[kind])
        block.fc2 = fused(block.fc2, dtype)
    else:
        return
    block.activation_fn = nn.Identity()


_ACTIVATIONS: Final = {"GELUActivation": "none", "GELUTanh": "tanh", "PytorchGELUTanh": "tanh"}
