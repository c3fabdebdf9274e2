"""An OpenCLIP model of a few thousand numbers, in OpenCLIP's own files. Importing this costs no torch.

Names and shapes are OpenCLIP's, the numbers come from a seed, so that another program can be asked about the very same
model: `tests/golden/make_openclip.py` asks OpenCLIP itself.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.fakes.tiny_clip import tiny_tokenizer

SIDE, PATCH, WIDTH, LAYERS, DIMENSION, TOKEN_LIMIT = 32, 8, 48, 2, 24, 16
VOCABULARY = 600

CLIP = {
    "model_cfg": {
        "embed_dim": DIMENSION,
        "quick_gelu": True,
        "vision_cfg": {"image_size": SIDE, "layers": LAYERS, "width": WIDTH, "head_width": 12, "patch_size": PATCH},
        "text_cfg": {
            "context_length": TOKEN_LIMIT, "vocab_size": VOCABULARY, "width": 32, "heads": 2, "layers": LAYERS,
        },
    },
    "preprocess_cfg": {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.25, 0.3], "interpolation": "bilinear"},
}  # fmt: skip

SIGLIP = {
    "model_cfg": {
        "embed_dim": WIDTH,
        "init_logit_bias": -10,
        "custom_text": True,
        "vision_cfg": {
            "image_size": SIDE,
            "timm_model_name": "vit_base_patch16_siglip_224",
            "timm_model_pretrained": False,
            "timm_pool": "map",
            "timm_proj": "none",
        },
        "text_cfg": {
            "context_length": TOKEN_LIMIT, "vocab_size": VOCABULARY, "width": 32, "heads": 2, "layers": LAYERS,
            "hf_tokenizer_name": "timm/ViT-B-16-SigLIP", "tokenizer_kwargs": {"clean": "canonicalize"},
            "no_causal_mask": True, "proj_bias": True, "pool_type": "last", "norm_kwargs": {"eps": 1e-6},
        },
    },
    "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "squash"},
}  # fmt: skip


def save_tiny_openclip(folder: Path, settings: Any = None, *, pickled: bool = False) -> Path:
    """Fill `folder` as OpenCLIP's `push_to_hf_hub` does. `settings` is `CLIP` (by default), `SIGLIP`, or like them."""
    import torch
    from safetensors.torch import save_file

    settings = settings or CLIP
    folder.mkdir(parents=True, exist_ok=True)
    tiny_tokenizer().save_pretrained(folder)
    (folder / "open_clip_config.json").write_text(json.dumps(settings))
    tensors = {name: torch.from_numpy(value) for name, value in tiny_tensors(settings).items()}
    if pickled:
        torch.save(tensors, folder / "open_clip_pytorch_model.bin")
    else:
        save_file(tensors, folder / "open_clip_model.safetensors")
    return folder


def tiny_tensors(settings: Any) -> dict[str, NDArray[np.float32]]:
    """Every tensor of the model, under OpenCLIP's names: small noise, around one for the scales of norms."""
    random = np.random.default_rng(0)
    siglip = "timm_model_name" in settings["model_cfg"]["vision_cfg"]
    shapes = _siglip_shapes() if siglip else _clip_shapes()
    tensors = {}
    for name, shape in sorted(shapes.items()):
        noise = 0.2 * random.standard_normal(shape)
        scale = name.endswith("weight") and len(shape) == 1
        tensors[name] = np.asarray(noise + (1 if scale else 0), np.float32)
    return tensors


def _clip_shapes() -> dict[str, tuple[int, ...]]:
    return {
        "logit_scale": (),
        "visual.class_embedding": (WIDTH,),
        "visual.positional_embedding": ((SIDE // PATCH) ** 2 + 1, WIDTH),
        "visual.conv1.weight": (WIDTH, 3, PATCH, PATCH),
        "visual.proj": (WIDTH, DIMENSION),
        **_norm("visual.ln_pre", WIDTH),
        **_norm("visual.ln_post", WIDTH),
        **_blocks("visual.transformer", WIDTH),
        **_text(""),
        "text_projection": (32, DIMENSION),
    }


def _siglip_shapes() -> dict[str, tuple[int, ...]]:
    trunk, pool = "visual.trunk", "visual.trunk.attn_pool"
    shapes: dict[str, tuple[int, ...]] = {
        "logit_scale": (),
        "logit_bias": (),
        f"{trunk}.pos_embed": (1, (SIDE // PATCH) ** 2, WIDTH),
        f"{trunk}.patch_embed.proj.weight": (WIDTH, 3, PATCH, PATCH),
        f"{trunk}.patch_embed.proj.bias": (WIDTH,),
        **_norm(f"{trunk}.norm", WIDTH),
        f"{pool}.latent": (1, 1, WIDTH),
        **_linear(f"{pool}.q", WIDTH, WIDTH),
        **_linear(f"{pool}.kv", WIDTH, 2 * WIDTH),
        **_linear(f"{pool}.proj", WIDTH, WIDTH),
        **_norm(f"{pool}.norm", WIDTH),
        **_linear(f"{pool}.mlp.fc1", WIDTH, 4 * WIDTH),
        **_linear(f"{pool}.mlp.fc2", 4 * WIDTH, WIDTH),
        **_text("text."),
        **_linear("text.text_projection", 32, WIDTH),
    }
    for number in range(LAYERS):
        block = f"{trunk}.blocks.{number}"
        shapes |= {**_norm(f"{block}.norm1", WIDTH), **_norm(f"{block}.norm2", WIDTH)}
        shapes |= {**_linear(f"{block}.attn.qkv", WIDTH, 3 * WIDTH), **_linear(f"{block}.attn.proj", WIDTH, WIDTH)}
        shapes |= {**_linear(f"{block}.mlp.fc1", WIDTH, 4 * WIDTH), **_linear(f"{block}.mlp.fc2", 4 * WIDTH, WIDTH)}
    return shapes


def _text(prefix: str) -> dict[str, tuple[int, ...]]:
    return {
        f"{prefix}token_embedding.weight": (VOCABULARY, 32),
        f"{prefix}positional_embedding": (TOKEN_LIMIT, 32),
        **_blocks(f"{prefix}transformer", 32),
        **_norm(f"{prefix}ln_final", 32),
    }


def _blocks(prefix: str, width: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for number in range(LAYERS):
        block = f"{prefix}.resblocks.{number}"
        shapes |= {**_norm(f"{block}.ln_1", width), **_norm(f"{block}.ln_2", width)}
        shapes |= {f"{block}.attn.in_proj_weight": (3 * width, width), f"{block}.attn.in_proj_bias": (3 * width,)}
        shapes |= _linear(f"{block}.attn.out_proj", width, width)
        shapes |= {**_linear(f"{block}.mlp.c_fc", width, 4 * width), **_linear(f"{block}.mlp.c_proj", 4 * width, width)}
    return shapes


def _linear(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def golden_pictures() -> list[NDArray[np.uint8]]:
    """Two whose middle lies on whole pixels: OpenCLIP rounds half a pixel another way than transformers."""
    random = np.random.default_rng(7)
    return [random.integers(0, 256, (*size, 3), dtype=np.uint8) for size in ((64, 96), (40, 40))]


def golden_texts() -> list[str]:
    """Plain, with what SigLIP's preparation takes away, and too long."""
    return ["red shoe", "  Red_shoe,  BLUE dress! ", "red " * 40]
