"""A transformer's layers as one `program`: a pass does not wait for Python's lock a few hundred times while other
threads answer requests and write to the index.

Queries, keys and values are one product instead of three, and what a block adds to is added while the numbers are still
in the processor's cache. Measured with ViT-B/32 in bfloat16, two passes of 32 pictures side by side on two cores: 1.11
to 1.18 times the pictures of layers called one by one; beside a thread that is busy in Python 2.3 times.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutput

from backend.embedding.arithmetic import Arithmetic, Linear, is_known_block
from backend.embedding.program import Name, Program

_PARTS = {"layer_norm1", "self_attn", "layer_norm2", "mlp"}
_PROJECTIONS = ("q_proj", "k_proj", "v_proj")


class FusedEncoder(nn.Module):
    """In place of an encoder with `known_layers`, of pictures or of texts. Safe from several threads."""

    def __init__(self, layers: nn.ModuleList, arithmetic: Arithmetic, *, first_only: bool = False) -> None:
        """`layers`: `known_layers`, in float32. `first_only`: nobody reads more of the result than its first token."""
        super().__init__()
        program, x = Program(mask="Tensor?", causal="bool"), Program.INPUT
        for layer in layers:
            x = _attended(program, x, layer, arithmetic, of_first=first_only and layer is layers[-1])
            x = _thought_over(program, x, layer, arithmetic)
        self._run = program.runnable(x)

    def forward(
        self,
        inputs_embeds: Tensor,
        attention_mask: Tensor | None = None,
        is_causal: bool = False,  # noqa: FBT001, FBT002 - as transformers calls it
        **_: Any,
    ) -> BaseModelOutput:
        """(n, tokens or 1, width) of the last layer. A mask says all that is masked; without one `is_causal` does."""
        causal = is_causal and attention_mask is None
        return BaseModelOutput(last_hidden_state=self._run(inputs_embeds, attention_mask, causal))


def known_layers(encoder: nn.Module) -> nn.ModuleList | None:
    """The layers, if they are such as CLIP and SigLIP have them."""
    layers = getattr(encoder, "layers", None)
    known = isinstance(layers, nn.ModuleList) and len(layers) > 0 and all(_is_known(layer) for layer in layers)
    return layers if known else None


def _is_known(layer: nn.Module) -> bool:
    parts = dict(layer.named_children())
    if parts.keys() != _PARTS:
        return False
    projections = dict(parts["self_attn"].named_children())
    return (
        projections.keys() == {*_PROJECTIONS, "out_proj"}
        and all(type(projection) is nn.Linear for projection in projections.values())
        and len({projections[name].bias is None for name in _PROJECTIONS}) == 1
        and type(parts["layer_norm1"]) is type(parts["layer_norm2"]) is nn.LayerNorm
        and is_known_block(parts["mlp"])
    )


def _attended(program: Program, x: Name, layer: Any, arithmetic: Arithmetic, *, of_first: bool) -> Name:
    """What is there and, added to it, what each position takes from the others. `of_first`: the first position only."""
    attention, constant = layer.self_attn, program.constant
    normal = _normalised(program, x, layer.layer_norm1, arithmetic)
    projections = [getattr(attention, name) for name in _PROJECTIONS]
    if of_first:
        x, asking, asked = _first(program, x), projections[:1], projections[1:]
        parts = _by_heads(program, _first(program, normal), asking, attention, arithmetic)
        parts += _by_heads(program, normal, asked, attention, arithmetic)
    else:
        parts = _by_heads(program, normal, projections, attention, arithmetic)
    after = "%mask", constant(0.0), "%causal", constant(float(attention.scale)), constant(False)
    taken = program.call("aten::scaled_dot_product_attention", *parts, *after)
    by_tokens = program.call("aten::transpose", taken, constant(1), constant(2))
    flat = program.call("aten::flatten", by_tokens, constant(2), constant(-1))
    return _linear([attention.out_proj], arithmetic).written(program, flat, added_to=x)


def _by_heads(
    program: Program, x: Name, projections: Sequence[Any], attention: Any, arithmetic: Arithmetic
) -> list[Name]:
    """What each projection makes of x, (n, head, token, number): all of them in one product."""
    constant = program.constant
    inner = _linear(projections, arithmetic).written(program, x)
    shape = constant([len(projections), attention.num_heads, attention.head_dim])
    by_heads = program.call("aten::unflatten", inner, constant(-1), shape)
    apart = program.call("aten::permute", by_heads, constant([2, 0, 3, 1, 4]))  # part, n, head, token, number
    return [program.call("aten::select", apart, constant(0), constant(part)) for part in range(len(projections))]


def _first(program: Program, x: Name) -> Name:
    constant = program.constant
    return program.call("aten::slice", x, constant(1), constant(0), constant(1), constant(1))


def _thought_over(program: Program, x: Name, layer: Any, arithmetic: Arithmetic) -> Name:
    """What is there and, added to it, what each position makes of itself."""
    first, second = arithmetic.feed_forward(layer.mlp)
    inner = first.written(program, _normalised(program, x, layer.layer_norm2, arithmetic))
    return second.written(program, inner, added_to=x)


def _normalised(program: Program, x: Name, norm: Any, arithmetic: Arithmetic) -> Name:
    constant = program.constant
    numbers = [
        program.tensor(None if value is None else value.data.to(arithmetic.dtype)) for value in (norm.weight, norm.bias)
    ]
    after = constant(norm.eps), constant(False)  # the last: not by cuDNN
    return program.call("aten::layer_norm", x, constant(list(norm.normalized_shape)), *numbers, *after)


def _linear(layers: Sequence[Any], arithmetic: Arithmetic) -> Linear:
    """One layer that gives what these give, side by side."""
    biases = [layer.bias.data for layer in layers if layer.bias is not None]
    return arithmetic.linear(torch.cat([layer.weight.data for layer in layers]), torch.cat(biases) if biases else None)
