"""Evens out what a transformer's linear layers are given, channel by channel, by moving their ranges into the weights.

In float32 the model computes the same. In whole numbers, which count all channels of a row in steps of one size, it
loses less (the idea is SmoothQuant's: Xiao et al., 2023). What it does for layers that were trained:
`python -m benchmarks.whole_numbers`.

Only where it costs nothing later. A layer norm's own numbers take what the inputs of its followers are divided by, and
the values of attention, of which averages are made and nothing else, take that of its last layer.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn

SHARE: Final = 0.4
"""How much of the unevenness goes into the weights. With it the cosines of MiniLM's vectors to those of float32 were
highest, and nearly as high with .3 and .5."""

_LEAST: Final = 1e-5
"""A channel that is never used counts as one of this range."""


def even_out(layers: Sequence[Any], run: Callable[[], object]) -> None:
    """Change encoder layers as CLIP and SigLIP have them, in float32, in place. `run` has the model compute something
    that is like what it will be given: what channels range over is looked up there.
    """
    readers = [
        reader for layer in layers for reader in (layer.self_attn.q_proj, layer.self_attn.out_proj, layer.mlp.fc1)
    ]
    ranges = channel_ranges(readers, run)
    for layer in layers:
        attention, first = layer.self_attn, layer.mlp.fc1
        projections = [attention.q_proj, attention.k_proj, attention.v_proj]
        _even_out_norm(layer.layer_norm1, projections, ranges[attention.q_proj])
        _even_out_norm(layer.layer_norm2, [first], ranges[first])
        by = divisors(attention.out_proj.weight.data, ranges[attention.out_proj])
        _multiply(attention.out_proj.weight, by)
        _multiply(attention.v_proj.weight, 1 / by[:, None])
        _multiply(attention.v_proj.bias, 1 / by)


def channel_ranges(layers: Sequence[nn.Module], run: Callable[[], object]) -> dict[nn.Module, Tensor]:
    """(inputs,): by amount the largest number of each channel that each layer is given during `run`."""
    found: dict[nn.Module, Tensor] = {}

    def look(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        largest = inputs[0].flatten(0, -2).abs().amax(0)
        found[layer] = torch.maximum(found[layer], largest) if layer in found else largest

    hooks = [layer.register_forward_pre_hook(look) for layer in layers]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return found


def divisors(weight: Tensor, ranges: Tensor, share: float = SHARE) -> Tensor:
    """(inputs,): what inputs of these ranges are to be divided by, and the weights, (outputs, inputs), multiplied."""
    return ranges.clamp_min(_LEAST) ** share / weight.abs().amax(0).clamp_min(_LEAST) ** (1 - share)


def _even_out_norm(norm: Any, followers: Sequence[Any], ranges: Tensor) -> None:
    if norm.weight is None:  # nothing there that could take it
        return
    by = divisors(torch.cat([layer.weight.data for layer in followers]), ranges)
    for layer in followers:
        _multiply(layer.weight, by)
    _multiply(norm.weight, 1 / by)
    _multiply(norm.bias, 1 / by)


def _multiply(numbers: nn.Parameter | None, by: Tensor) -> None:
    if numbers is not None:
        numbers.data = numbers.data * by
