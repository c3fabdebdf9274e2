"""OpenCLIP's config -> the settings transformers has for the same computation, or a refusal that names the difference.

Whatever is not known here is refused: a setting that is passed over would give other vectors than the model was trained
for, and nothing would show it. Names and defaults: `CLIPVisionCfg`, `CLIPTextCfg` and `PreprocessCfg` of OpenCLIP 3.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from backend.errors import ModelUnavailable

Shapes = Mapping[str, tuple[int, ...]]
"""Of the model's tensors, by OpenCLIP's names."""

_SIGLIP: Final = re.compile(r"vit_(base|large|so400m|giantopt)_patch\d+_siglip_\d+")
_HEADS: Final = {"base": 12, "large": 16, "so400m": 16, "giantopt": 16}
"""The one size that the shapes of weights do not tell. Source: timm, `vision_transformer.py`."""

_OPENAI_MEAN: Final = (0.48145466, 0.4578275, 0.40821073)
_OPENAI_STD: Final = (0.26862954, 0.26130258, 0.27577711)
_RESAMPLE: Final = {"bicubic": 3, "random": 3, "bilinear": 2}
"""Pillow's numbers. "random" is for training; OpenCLIP itself then infers with bicubic."""

_FREE: Final = frozenset(
    {
        *(
            "image_size",
            "layers",
            "width",
            "head_width",
            "heads",
            "mlp_ratio",
            "patch_size",
            "act_kwargs",
            "norm_kwargs",
        ),
        *("context_length", "vocab_size", "hf_tokenizer_name", "tokenizer_kwargs", "pad_id", "eos_id"),
        *("timm_model_name", "timm_model_pretrained", "timm_drop", "timm_drop_path", "hf_model_pretrained"),
        *("patch_dropout", "output_tokens", "attn_pooler_queries", "attn_pooler_heads"),
    }
)
"""Settings that are read here, or that matter in training only, or for what is refused anyway."""

_VISION: Final = {"pool_type": "tok", "pos_embed_type": "learnable"}
_SIGLIP_VISION: Final = {"timm_pool": "map", "timm_proj": "none"}
_TEXT: Final = {"pool_type": "argmax", "proj_type": "linear"}
_SIGLIP_TEXT: Final = {"pool_type": "last", "proj_type": "linear", "no_causal_mask": True, "proj_bias": True}


@dataclass(frozen=True, slots=True)
class Description:
    """`config` and `scaling` are transformers' config and image processor. `canonical`: texts lose case and marks."""

    config: dict[str, Any]
    scaling: dict[str, Any]
    token_limit: int
    canonical: bool

    @property
    def is_siglip(self) -> bool:
        """Whether the towers are SigLIP's rather than CLIP's."""
        return bool(self.config["model_type"] == "siglip")


def described(settings: Mapping[str, Any], shapes: Shapes) -> Description:
    """`settings` is the whole of `open_clip_config.json`. Raises `ModelUnavailable` for what cannot be translated."""
    model, vision, text = settings["model_cfg"], settings["model_cfg"]["vision_cfg"], settings["model_cfg"]["text_cfg"]
    if "multimodal_cfg" in model:
        _refuse("a CoCa, which also writes captions")
    if text.get("hf_model_name"):
        _refuse(f"one whose texts are read by {text['hf_model_name']}")
    timm_name = vision.get("timm_model_name")
    if timm_name and not _SIGLIP.fullmatch(timm_name):
        _refuse(f"one whose pictures are read by timm's {timm_name}")
    siglip = bool(timm_name)
    _refuse_unknown("vision_cfg", vision, _SIGLIP_VISION if siglip else _VISION)
    _refuse_unknown("text_cfg", text, _SIGLIP_TEXT if siglip else _TEXT)
    limit = int(text.get("context_length", 77))
    return Description(
        config=_siglip_config(model, shapes) if siglip else _clip_config(model),
        scaling=_scaling(settings.get("preprocess_cfg", {}), _square(vision.get("image_size", 224))),
        token_limit=limit,
        canonical=siglip and (text.get("tokenizer_kwargs") or {}).get("clean") == "canonicalize",
    )


def _clip_config(model: Mapping[str, Any]) -> dict[str, Any]:
    vision, text = model["vision_cfg"], model["text_cfg"]
    if isinstance(vision.get("layers"), list):
        _refuse("a ResNet")
    width = int(vision.get("width", 768))
    quick = bool(model.get("quick_gelu"))
    return {
        "model_type": "clip",
        "architectures": ["CLIPModel"],
        "projection_dim": model["embed_dim"],
        "vision_config": {
            "hidden_size": width,
            "intermediate_size": int(width * vision.get("mlp_ratio", 4.0)),
            "num_hidden_layers": vision.get("layers", 12),
            "num_attention_heads": width // int(vision.get("head_width", 64)),
            "image_size": _square(vision.get("image_size", 224)),
            "patch_size": vision.get("patch_size", 16),
            "projection_dim": model["embed_dim"],
            **_layers(vision, quick=quick, epsilon=1e-5),
        },
        # transformers takes an end token of 2 for: read the text's vector at its highest token. So does OpenCLIP.
        "text_config": {
            **_text_config(text, quick=quick),
            "eos_token_id": 2,
            "projection_dim": model["embed_dim"],
        },
    }


def _siglip_config(model: Mapping[str, Any], shapes: Shapes) -> dict[str, Any]:
    vision = model["vision_cfg"]
    found = _SIGLIP.fullmatch(vision["timm_model_name"])
    size = found[1] if found else ""
    return {
        "model_type": "siglip",
        "architectures": ["SiglipModel"],
        "vision_config": {
            "hidden_size": shapes["visual.trunk.pos_embed"][-1],
            "intermediate_size": shapes["visual.trunk.blocks.0.mlp.fc1.weight"][0],
            "num_hidden_layers": 1 + max(int(name.split(".")[3]) for name in shapes if ".trunk.blocks." in name),
            "num_attention_heads": _HEADS[size],
            "image_size": _square(vision.get("image_size", 224)),
            "patch_size": shapes["visual.trunk.patch_embed.proj.weight"][-1],
            "hidden_act": "gelu_pytorch_tanh" if size == "giantopt" else "gelu",
            "layer_norm_eps": 1e-6,
        },
        "text_config": {**_text_config(model["text_cfg"], quick=False), "projection_size": model["embed_dim"]},
    }


def _text_config(text: Mapping[str, Any], *, quick: bool) -> dict[str, Any]:
    width = int(text.get("width", 512))
    return {
        "hidden_size": width,
        "intermediate_size": int(width * text.get("mlp_ratio", 4.0)),
        "num_hidden_layers": text.get("layers", 12),
        "num_attention_heads": text.get("heads", 8),
        "max_position_embeddings": text.get("context_length", 77),
        "vocab_size": text.get("vocab_size", 49408),
        **_layers(text, quick=quick, epsilon=1e-5),
    }


def _layers(tower: Mapping[str, Any], *, quick: bool, epsilon: float) -> dict[str, Any]:
    """The activation and the norms' epsilon of a tower."""
    activation, norm = tower.get("act_kwargs") or {}, tower.get("norm_kwargs") or {}
    if activation not in ({}, {"approximate": "tanh"}) or norm.keys() - {"eps"}:
        _refuse(f"one with the settings {activation | norm}")
    plain = "gelu_pytorch_tanh" if activation else "gelu"
    return {"hidden_act": "quick_gelu" if quick else plain, "layer_norm_eps": norm.get("eps", epsilon)}


def _scaling(preprocess: Mapping[str, Any], image_size: int) -> dict[str, Any]:
    """The image processor's settings. OpenCLIP writes none of them where they are OpenAI's."""
    side = _square(preprocess.get("size", image_size))
    mode, filter_name = preprocess.get("resize_mode", "shortest"), preprocess.get("interpolation", "bicubic")
    if mode not in {"shortest", "squash"} or filter_name not in _RESAMPLE:
        _refuse(f"one that scales pictures by {mode}, {filter_name}")
    square = {"height": side, "width": side}
    return {
        "image_processor_type": "SiglipImageProcessor" if mode == "squash" else "CLIPImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": square if mode == "squash" else {"shortest_edge": side},
        "resample": _RESAMPLE[filter_name],
        "do_center_crop": mode == "shortest",
        "crop_size": square,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(preprocess.get("mean", _OPENAI_MEAN)),
        "image_std": list(preprocess.get("std", _OPENAI_STD)),
    }


def _square(size: Any) -> int:
    height, width = size if isinstance(size, list) else (size, size)
    if height != width:
        _refuse(f"one that wants pictures of {width} x {height} pixels rather than squares")
    return int(height)


def _refuse_unknown(part: str, settings: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    for name, value in settings.items():
        if name not in _FREE and value and value != known.get(name):
            _refuse(f"one with the setting {part}.{name} = {value}")
    for name, value in known.items():
        if name in {"no_causal_mask", "proj_bias", "timm_pool"} and settings.get(name) != value:
            _refuse(f"one with the setting {part}.{name} = {settings.get(name)}")


def _refuse(what: str) -> NoReturn:
    raise ModelUnavailable(
        f"This OpenCLIP model is {what}, which cannot be loaded from OpenCLIP's files. Choose one whose towers are "
        "plain transformers (ViT-B-32, ViT-L-14, ViT-B-16-SigLIP and the like), or the same model in transformers' "
        "format."
    )
