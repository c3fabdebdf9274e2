"""A tower's layers as one program compute what they do one by one."""

import copy
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from transformers import CLIPConfig, CLIPModel

from backend.embedding.fused_encoder import FusedEncoder
from backend.embedding.fusing import fuse
from tests.fakes.small_towers import KINDS, TEXT, VISION, WIDTH, features, model_of
from tests.fakes.tiny_clip import SIDE
from tests.lock import busy_thread, waits

pytestmark = pytest.mark.slow  # importing transformers


@pytest.fixture(params=KINDS)
def plain(request: pytest.FixtureRequest) -> Any:
    return model_of(request.param)


@pytest.fixture
def fused(plain: Any) -> Any:
    model = copy.deepcopy(plain)
    fuse(model, torch.float32)
    assert isinstance(model.vision_model.encoder, FusedEncoder)
    assert isinstance(model.text_model.encoder, FusedEncoder)
    return model


@pytest.mark.parametrize("count", [1, 5])
def test_pictures_get_the_same(plain: Any, fused: Any, count: int) -> None:
    pixels = torch.randn(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(count))
    assert_same(lambda model: model.get_image_features(pixel_values=pixels).pooler_output, plain, fused)


@pytest.mark.parametrize("length", [1, 9])
def test_a_text_gets_the_same(plain: Any, fused: Any, length: int) -> None:
    """Without a mask, where CLIP lets each position see only those before it and SigLIP all."""
    ids = torch.arange(length)[None] + 1
    assert_same(lambda model: model.get_text_features(input_ids=ids).pooler_output, plain, fused)


def test_texts_of_different_lengths_get_the_same(plain: Any, fused: Any) -> None:
    """With a mask."""
    ids = torch.tensor([[48, 3, 4, 5, 49], [48, 6, 49, 49, 49]])
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    assert_same(lambda model: model.get_text_features(input_ids=ids, attention_mask=mask).pooler_output, plain, fused)


def assert_same(compute: Callable[[Any], torch.Tensor], plain: Any, fused: Any) -> None:
    with torch.inference_mode():
        wanted = compute(plain)
        assert wanted.std() > 0.1
        torch.testing.assert_close(compute(fused), wanted, atol=1e-4, rtol=1e-4)


def test_in_whole_numbers_they_get_nearly_the_same(plain: Any) -> None:
    model = copy.deepcopy(plain)
    fuse(model, torch.float32, whole=lambda: features(model))
    for ours, theirs in zip(features(model), features(plain), strict=True):
        assert nn.functional.cosine_similarity(ours, theirs).min() > 0.99
        assert not torch.equal(ours, theirs)


def test_only_the_token_that_is_read_goes_through_a_tower_s_last_layer() -> None:
    clip, siglip = model_of("CLIP"), model_of("SigLIP")
    for model in (clip, siglip):
        fuse(model, torch.float32)
    x = torch.zeros(2, 5, WIDTH)
    assert clip.vision_model.encoder(x).last_hidden_state.shape == (2, 1, WIDTH)
    assert clip.text_model.encoder(x).last_hidden_state.shape == (2, 5, WIDTH)
    assert siglip.vision_model.encoder(x).last_hidden_state.shape == (2, 5, WIDTH)  # it asks all of them


def test_a_torch_without_programs_gives_the_same(plain: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch._C, "parse_ir")
    model = copy.deepcopy(plain)
    fuse(model, torch.float32)
    ids, mask = torch.tensor([[48, 3, 49], [48, 49, 49]]), torch.tensor([[1, 1, 1], [1, 1, 0]])
    assert_same(lambda it: it.get_text_features(input_ids=ids, attention_mask=mask).pooler_output, plain, model)


def test_layers_without_biases_give_the_same() -> None:
    plain = KINDS["CLIP"]().eval().vision_model.encoder
    for layer in plain.layers:
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            getattr(layer.self_attn, name).bias = None
        layer.layer_norm1.bias = None
    towers = nn.ModuleDict({"encoder": copy.deepcopy(plain)})
    fuse(towers, torch.float32)
    assert isinstance(towers["encoder"], FusedEncoder)
    x = torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        wanted = plain(inputs_embeds=x).last_hidden_state
        torch.testing.assert_close(towers["encoder"](inputs_embeds=x).last_hidden_state, wanted, atol=1e-4, rtol=1e-4)


def changed_attention(layer: Any) -> None:
    layer.self_attn.q_norm = nn.LayerNorm(16)


def changed_norm(layer: Any) -> None:
    layer.layer_norm1 = nn.Identity()


def changed_activation(layer: Any) -> None:
    layer.mlp.activation_fn = nn.ReLU()


def one_more_part(layer: Any) -> None:
    layer.gate = nn.Identity()


def one_bias_missing(layer: Any) -> None:
    layer.self_attn.k_proj.bias = None


@pytest.mark.parametrize(
    "change", [changed_attention, changed_norm, changed_activation, one_more_part, one_bias_missing]
)
def test_an_encoder_with_any_other_layer_is_called_layer_by_layer(change: Callable[[Any], None]) -> None:
    model = KINDS["CLIP"]()
    change(model.vision_model.encoder.layers[1])
    fuse(model, torch.float32)
    assert not isinstance(model.vision_model.encoder, FusedEncoder)


@pytest.mark.skipif(sys.platform != "linux", reason="a thread's own switches are counted on Linux only")
def test_a_pass_does_not_wait_for_python_s_lock_at_each_operation() -> None:
    # Wide enough for each operation to take so long that the other thread notices that the lock is free.
    tower = {"hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 4, "num_attention_heads": 4}
    config = CLIPConfig(text_config=TEXT, vision_config={**VISION, **tower}, projection_dim=24)
    plain = CLIPModel(config).eval().vision_model.encoder
    fused = copy.deepcopy(nn.ModuleDict({"encoder": plain}))
    fuse(fused, torch.float32)
    x = torch.randn(8, 50, 256, generator=torch.Generator().manual_seed(1))
    with busy_thread(), torch.inference_mode():
        one_by_one = waits(lambda: plain(inputs_embeds=x))
        assert waits(lambda: fused["encoder"](inputs_embeds=x)) < one_by_one / 2
