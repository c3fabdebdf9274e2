"""OpenCLIP's settings in transformers' words; what has no word there is refused by its name."""

import json
from copy import deepcopy
from typing import Any

import pytest

from backend.embedding.openclip.description import described
from backend.errors import ModelUnavailable
from tests.fakes.tiny_openclip import CLIP, SIGLIP, tiny_tensors

VIT_B_32 = {
    "embed_dim": 512,
    "vision_cfg": {"image_size": 224, "layers": 12, "width": 768, "patch_size": 32},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 512, "heads": 8, "layers": 12},
}


def changed(settings: Any, **values: Any) -> Any:
    """`vision_cfg__layers=3` sets that one; None takes it away."""
    copy = deepcopy(settings)
    for path, value in values.items():
        *groups, name = path.split("__")
        place = copy["model_cfg"] if groups[:1] != ["preprocess_cfg"] else copy
        for group in groups:
            place = place.setdefault(group, {})
        place[name] = value
        if value is None:
            del place[name]
    return copy


def shapes(settings: Any) -> dict[str, tuple[int, ...]]:
    return {name: tensor.shape for name, tensor in tiny_tensors(settings).items()}


def test_a_vit_b_32_is_transformers_default_clip_but_for_its_activation() -> None:
    told = described({"model_cfg": VIT_B_32}, {})
    vision, text = told.config["vision_config"], told.config["text_config"]
    assert (vision["num_attention_heads"], vision["intermediate_size"], vision["patch_size"]) == (12, 3072, 32)
    assert (text["num_attention_heads"], text["intermediate_size"], text["vocab_size"]) == (8, 2048, 49408)
    assert vision["hidden_act"] == text["hidden_act"] == "gelu"
    assert told.token_limit == 77
    assert told.scaling["size"] == {"shortest_edge": 224}
    assert told.scaling["resample"] == 3  # bicubic
    assert told.scaling["image_mean"][0] == pytest.approx(0.48145466)
    assert not told.canonical


def test_openais_activation_is_taken_where_it_is_asked_for() -> None:
    assert described(CLIP, {}).config["vision_config"]["hidden_act"] == "quick_gelu"
    tanh = changed(CLIP, quick_gelu=None, text_cfg__act_kwargs={"approximate": "tanh"})
    assert described(tanh, {}).config["text_config"]["hidden_act"] == "gelu_pytorch_tanh"


def test_a_siglip_takes_its_sizes_from_its_weights() -> None:
    told = described(SIGLIP, shapes(SIGLIP))
    vision = told.config["vision_config"]
    assert told.is_siglip
    assert told.canonical
    assert (vision["hidden_size"], vision["num_hidden_layers"], vision["num_attention_heads"]) == (48, 2, 12)
    assert (vision["patch_size"], vision["image_size"]) == (8, 32)
    assert told.scaling["size"] == {"height": 32, "width": 32}
    assert not told.scaling["do_center_crop"]


def test_settings_of_training_do_not_matter() -> None:
    trained = changed(CLIP, vision_cfg__patch_dropout=0.5, vision_cfg__ls_init_value=None, text_cfg__output_tokens=True)
    assert described(trained, {}) == described(CLIP, {})
    assert described(json.loads(json.dumps(CLIP)), {}) == described(CLIP, {})


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"multimodal_cfg": {"width": 512}}, "a CoCa"),
        ({"text_cfg__hf_model_name": "xlm-roberta-base"}, "texts are read by xlm-roberta-base"),
        ({"vision_cfg__timm_model_name": "convnext_base"}, "pictures are read by timm's convnext_base"),
        ({"vision_cfg__timm_model_name": "vit_base_patch16_siglip_gap_224"}, "timm's vit_base_patch16_siglip_gap_224"),
        ({"vision_cfg__layers": [3, 4, 6, 3]}, "a ResNet"),
        ({"vision_cfg__attentional_pool": True}, "vision_cfg.attentional_pool = True"),
        ({"vision_cfg__no_ln_pre": True}, "vision_cfg.no_ln_pre = True"),
        ({"text_cfg__pool_type": "eos"}, "text_cfg.pool_type = eos"),
        ({"text_cfg__no_causal_mask": True}, "text_cfg.no_causal_mask = True"),
        ({"text_cfg__a_new_one": 7}, "text_cfg.a_new_one = 7"),
        ({"vision_cfg__act_kwargs": {"approximate": "sigmoid"}}, "approximate"),
        ({"vision_cfg__image_size": [224, 336]}, "336 x 224 pixels rather than squares"),
        ({"preprocess_cfg__resize_mode": "longest"}, "scales pictures by longest"),
        ({"preprocess_cfg__interpolation": "nearest"}, "scales pictures by shortest, nearest"),
    ],
)
def test_what_computes_otherwise_is_refused_by_name(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelUnavailable, match=r"Choose one whose towers are plain transformers") as refused:
        described(changed(CLIP, **values), {})
    assert said in refused.value.detail


@pytest.mark.parametrize("values", [{"text_cfg__no_causal_mask": None}, {"vision_cfg__timm_pool": "avg"}])
def test_a_siglip_that_reads_otherwise_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ModelUnavailable, match="one with the setting"):
        described(changed(SIGLIP, **values), shapes(SIGLIP))
