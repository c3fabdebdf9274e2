"""A model whose layers' inputs were evened out is the same model."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from backend.embedding.evening import channel_ranges, even_out
from backend.embedding.fusing import fuse
from tests.fakes.small_towers import KINDS, features, model_of

pytestmark = pytest.mark.slow  # importing transformers


@pytest.fixture(params=KINDS)
def uneven(request: pytest.FixtureRequest) -> Any:
    """Some channels reach thirty times as far as others, as in models that were trained."""
    model = model_of(request.param)
    for layer in layers_of(model):
        for norm in (layer.layer_norm1, layer.layer_norm2):
            norm.weight.data[::8] *= 30
        for reader in (layer.self_attn.q_proj, layer.self_attn.k_proj, layer.self_attn.v_proj, layer.mlp.fc1):
            reader.weight.data[:, ::8] /= 30
        layer.self_attn.v_proj.weight.data[::8] *= 30
        layer.self_attn.out_proj.weight.data[:, ::8] /= 30
    return model


def layers_of(model: Any) -> list[Any]:
    return [*model.vision_model.encoder.layers, *model.text_model.encoder.layers]


def readers_of(model: Any) -> list[nn.Module]:
    return [
        it for layer in layers_of(model) for it in (layer.self_attn.q_proj, layer.self_attn.out_proj, layer.mlp.fc1)
    ]


def unevenness(model: Any) -> Tensor:
    ranges = channel_ranges(readers_of(model), lambda: features(model))
    return torch.stack([found.max() / found.median() for found in ranges.values()])


def test_it_computes_the_same_from_inputs_that_are_more_even(uneven: Any) -> None:
    wanted, before = features(uneven), unevenness(uneven)
    even_out(layers_of(uneven), lambda: features(uneven))
    for ours, theirs in zip(features(uneven), wanted, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-3)
    assert unevenness(uneven).mean() < before.mean() / 3


def test_whole_numbers_lose_less_then(uneven: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = features(uneven)

    def loss() -> float:
        model = copy.deepcopy(uneven)
        fuse(model, torch.float32, whole=lambda: features(model))
        pairs = zip(features(model), wanted, strict=True)
        return sum(float((1 - nn.functional.cosine_similarity(ours, theirs)).mean()) for ours, theirs in pairs)

    evened = loss()
    monkeypatch.setattr("backend.embedding.fusing.even_out", lambda layers, run: None)
    assert 0 < evened < loss() / 3


def test_norms_and_layers_with_fewer_numbers_stay_the_same() -> None:
    model = model_of("CLIP")
    for layer in layers_of(model):
        layer.layer_norm1 = nn.LayerNorm(32, elementwise_affine=False)
        layer.layer_norm2.bias = None
        layer.self_attn.v_proj.bias = None
    wanted = features(model)
    even_out(layers_of(model), lambda: features(model))
    for ours, theirs in zip(features(model), wanted, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-3)


def test_nothing_looks_on_afterwards() -> None:
    model = model_of("CLIP")
    with pytest.raises(ZeroDivisionError):
        channel_ranges(readers_of(model), lambda: 1 // 0)
    assert not any(reader._forward_pre_hooks for reader in readers_of(model))
