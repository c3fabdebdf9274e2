"""Replaces the layers of a model on a processor by fused ones."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from backend.embedding.arithmetic import Arithmetic, is_known_block
from backend.embedding.evening import even_out
from backend.embedding.fused_encoder import FusedEncoder, known_layers
from backend.embedding.fused_linear import FusedPatches, Levels


def fuse(
    model: nn.Module,
    dtype: torch.dtype,
    levels: Levels | None = None,
    whole: Callable[[], object] | None = None,
) -> bool:
    """Replace a float32 model's linear layers, its cutting into patches and its towers' encoders by fused ones in
    `dtype` on a processor. Whether it takes `levels` for its pixels from now on: a model that cuts them once does.
    `whole`: encoders multiply whole numbers of eight bits; called once, it has the model compute something that is like
    what it will be given.

    Raises `RuntimeError`, as torch does, where oneDNN or one of its operations is not there; the model cannot be used
    then.
    """
    cuts = [layer for layer in model.modules() if type(layer) is nn.Conv2d and _is_side_by_side(layer)]
    taken = levels if len(cuts) == 1 and levels is not None and cuts[0].in_channels == len(levels.scale) else None
    if whole is not None:
        even_out([layer for module in model.modules() for layer in known_layers(module) or ()], whole)
    floats, in_towers = Arithmetic(dtype), Arithmetic(dtype, whole=whole is not None)
    for module in model.modules():
        if is_known_block(module):
            _fuse_block(module, floats)
        for name, layer in list(module.named_children()):
            if (layers := known_layers(layer)) is not None:
                setattr(module, name, FusedEncoder(layers, in_towers, first_only=_reads_first_only(module)))
            elif type(layer) is nn.Linear:
                setattr(module, name, floats.of(layer))
            elif isinstance(layer, nn.Conv2d) and layer in cuts:
                setattr(module, name, FusedPatches(layer, dtype, taken))
    return taken is not None


def _is_side_by_side(layer: nn.Conv2d) -> bool:
    plain = layer.groups == 1 and layer.dilation == (1, 1) and layer.padding in {(0, 0), "valid"}
    return plain and layer.stride == layer.kernel_size


def _reads_first_only(tower: nn.Module) -> bool:
    """CLIP's picture tower makes a vector of its first token, where SigLIP's asks all of them: its last layer computes
    no other, which saves a fourteenth of a ViT-B/32's products.
    """
    return type(tower).__name__ in {"CLIPVisionModel", "CLIPVisionTransformer"}


def _fuse_block(block: Any, arithmetic: Arithmetic) -> None:
    block.fc1, block.fc2 = arithmetic.feed_forward(block)
    block.activation_fn = nn.Identity()
