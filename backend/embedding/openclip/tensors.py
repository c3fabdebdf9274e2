"""OpenCLIP's tensors -> the same tensors under transformers' names and in its shapes."""

import re
from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor

from backend.errors import ModelUnavailable

_UNUSED: Final = frozenset({"input_resolution", "context_length", "vocab_size", "attn_mask"})
"""What old files keep beside the weights; all of it stands in the config too."""

_QKV: Final = "three layers"
"""Queries, keys and values: one matrix there, three here."""

_BLOCK: Final = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.in_proj": _QKV,
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
    # The same of timm's pictures' tower.
    "norm1": "layer_norm1",
    "norm2": "layer_norm2",
    "attn.qkv": _QKV,
    "attn.proj": "self_attn.out_proj",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
}

_TEXT: Final = {
    "token_embedding": "text_model.embeddings.token_embedding",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "ln_final": "text_model.final_layer_norm",
}
_CLIP: Final = {
    **_TEXT,
    "text_projection": "text_projection.weight",
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.conv1": "vision_model.embeddings.patch_embedding",
    "visual.ln_pre": "vision_model.pre_layrnorm",
    "visual.ln_post": "vision_model.post_layernorm",
    "visual.proj": "visual_projection.weight",
    "logit_scale": "logit_scale",
}
_SIGLIP: Final = {
    **_TEXT,
    "text_projection": "text_model.head",
    "visual.trunk.patch_embed.proj": "vision_model.embeddings.patch_embedding",
    "visual.trunk.pos_embed": "vision_model.embeddings.position_embedding.weight",
    "visual.trunk.norm": "vision_model.post_layernorm",
    "visual.trunk.attn_pool.latent": "vision_model.head.probe",
    "visual.trunk.attn_pool.norm": "vision_model.head.layernorm",
    "visual.trunk.attn_pool.proj": "vision_model.head.attention.out_proj",
    "visual.trunk.attn_pool.mlp.fc1": "vision_model.head.mlp.fc1",
    "visual.trunk.attn_pool.mlp.fc2": "vision_model.head.mlp.fc2",
    "logit_scale": "logit_scale",
    "logit_bias": "logit_bias",
}
"""By the whole name, or by all of it before `.weight` or `.bias`."""

_IN_A_BLOCK: Final = re.compile(
    r"(visual\.|)(?:transformer\.resblocks|trunk\.blocks)\.(\d+)\.([\w.]+?)[._](weight|bias)"
)
_POOL: Final = re.compile(r"visual\.trunk\.attn_pool\.(q|kv)\.(weight|bias)")


def translated(tensors: Mapping[str, Tensor], *, siglip: bool) -> dict[str, Tensor]:
    """Every tensor in float32 under transformers' name. Raises `ModelUnavailable` for one that has no place there.

    Whether all that transformers needs are there, it says itself when it loads them.
    """
    result: dict[str, Tensor] = {}
    pool: dict[str, Tensor] = {}
    for full_name, tensor in tensors.items():
        name = full_name.removeprefix("module.").removeprefix("text.")  # from training on several cards; a text tower
        if name in _UNUSED:
            continue
        if siglip and (found := _POOL.fullmatch(name)):
            pool[f"{found[1]}.{found[2]}"] = tensor
        elif found := _IN_A_BLOCK.fullmatch(name):
            result |= _of_a_block(found, tensor)
        else:
            result |= _of_the_rest(name, tensor, _SIGLIP if siglip else _CLIP)
    for kind in ("weight", "bias"):
        if {f"q.{kind}", f"kv.{kind}"} <= pool.keys():
            joined = torch.cat([pool[f"q.{kind}"], pool[f"kv.{kind}"]])
            result[f"vision_model.head.attention.in_proj_{kind}"] = joined
    return {name: tensor.float().clone(memory_format=torch.contiguous_format) for name, tensor in result.items()}


def _of_a_block(found: re.Match[str], tensor: Tensor) -> dict[str, Tensor]:
    tower, number, layer, kind = found.groups()
    if layer not in _BLOCK:
        raise _unknown(found[0])
    prefix = f"{'vision' if tower else 'text'}_model.encoder.layers.{number}."
    if _BLOCK[layer] is not _QKV:
        return {f"{prefix}{_BLOCK[layer]}.{kind}": tensor}
    thirds = zip("qkv", tensor.chunk(3), strict=True)
    return {f"{prefix}self_attn.{letter}_proj.{kind}": third for letter, third in thirds}


def _of_the_rest(name: str, tensor: Tensor, table: Mapping[str, str]) -> dict[str, Tensor]:
    stem, kind = (name, "") if name in table else name.rpartition(".")[::2]
    if stem not in table:
        raise _unknown(name)
    if stem in {"visual.proj", "text_projection"} and not kind:
        tensor = tensor.T  # a parameter that is multiplied from the right, where transformers has a linear layer
    elif stem == "visual.trunk.pos_embed":
        tensor = tensor.squeeze(0)
    elif stem.startswith("logit_") and table is _SIGLIP:
        tensor = tensor.reshape(1)
    return {f"{table[stem]}.{kind}" if kind else table[stem]: tensor}


def _unknown(name: str) -> ModelUnavailable:
    return ModelUnavailable(
        f"The weights hold a tensor {name} that no CLIP or SigLIP of OpenCLIP has: the model is of another build. "
        "Choose the same model in transformers' format, or another one."
    )
