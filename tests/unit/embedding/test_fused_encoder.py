"""A tower's layers as one program compute what they do one by one."""

import copy
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from transformers import CLIPConfig, CLIPModel, SiglipConfig, SiglipModel

from backend.embedding.fused_encoder import FusedEncoder
from backend.embedding.fusing import fuse
from tests.fakes.tiny_clip import SIDE, TOKEN_LIMIT
from tests.lock import busy_thread, waits

pytestmark = pytest.mark.slow  # importing transformers

TOWER = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 2}
TEXT = {**TOWER, "vocab_size": 50, "max_position_embeddings": TOKEN_LIMIT, "bos_token_id": 48, "eos_token_id": 49}
VISION = {**TOWER, "image_size": SIDE, "patch_size": 8}

KINDS: dict[str, Callable[[], Any]] = {
    "CLIP": lambda: CLIPModel(CLIPConfig(text_config=TEXT, vision_config=VISION, projection_dim=24)),
    "CLIP with GELU": lambda: CLIPModel(
        CLIPConfig(
            text_config={**TEXT, "hidden_act": "gelu"},
            vision_config={**VISION, "hidden_act": "gelu"},
            projection_dim=24,
        )
    ),
    "SigLIP": lambda: SiglipModel(SiglipConfig(text_config=TEXT, vision_config=VISION)),
}


@pytest.fixture(params=KINDS)
def plain(request: pytest.FixtureRequest) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        model = KINDS[request.param]().eval()
        for parameter in model.parameters():  # new ones are near zero, where any mistake is as good as another
            nn.init.normal_(parameter, std=0.2)
    return model


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
