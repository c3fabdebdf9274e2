"""Models in OpenCLIP's files give OpenCLIP's own vectors: those in tests/golden were asked of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from backend.domain.picture import Vectors
from backend.embedding.folder import fingerprint_of
from backend.errors import ModelUnavailable
from tests.fakes.tiny_openclip import CLIP, DIMENSION, SIGLIP, golden_pictures, golden_texts, save_tiny_openclip

if TYPE_CHECKING:
    from backend.embedding.clip import ClipEncoder

pytestmark = pytest.mark.slow

GOLDEN = json.loads((Path(__file__).parents[3] / "golden" / "openclip.json").read_text())


def load(folder: Path, cache: Path | None, **named: Any) -> ClipEncoder:
    from backend.embedding.clip import ClipEncoder

    return ClipEncoder(str(folder), cache_dir=cache, **{"device": "cpu", "exact": True, "batch": 4, **named})


def golden(kind: str, of: str) -> Vectors:
    return np.array([[float(number) for number in row.split()] for row in GOLDEN[kind][of]], np.float32)


@pytest.mark.parametrize("pickled", [False, True])
@pytest.mark.parametrize(("kind", "settings"), [("clip", CLIP), ("siglip", SIGLIP)])
def test_vectors_are_those_of_openclip(kind: str, settings: Any, pickled: bool, tmp_path: Path) -> None:
    folder = save_tiny_openclip(tmp_path / "model", settings, pickled=pickled)
    encoder = load(folder, tmp_path / "cache")
    np.testing.assert_allclose(encoder.embed_images(golden_pictures()), golden(kind, "pictures"), atol=2e-5)
    np.testing.assert_allclose(encoder.embed_texts(golden_texts()), golden(kind, "texts"), atol=2e-5)
    assert encoder.space.fingerprint == fingerprint_of(folder)


@pytest.mark.parametrize("settings", [CLIP, SIGLIP])
def test_the_fastest_way_gives_them_too(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr("backend.embedding.clip.fast_dtype", lambda device: torch.bfloat16)
    folder = save_tiny_openclip(tmp_path / "model", settings)
    fast, exact = load(folder, tmp_path / "cache", exact=False), load(folder, tmp_path / "cache")
    assert "bfloat16" in fast.how
    cosines = np.einsum("nd,nd->n", fast.embed_texts(golden_texts()), exact.embed_texts(golden_texts()))
    assert cosines.min() > 0.995


def test_it_is_translated_once(tmp_path: Path) -> None:
    folder = save_tiny_openclip(tmp_path / "model")
    load(folder, tmp_path / "cache")
    [kept] = (tmp_path / "cache").iterdir()  # and nothing half-written beside it
    written = (kept / "model.safetensors").stat().st_mtime_ns
    load(folder, tmp_path / "cache")
    assert (kept / "model.safetensors").stat().st_mtime_ns == written


def test_a_checkpoint_of_a_training_is_read(tmp_path: Path) -> None:
    import torch

    folder = save_tiny_openclip(tmp_path / "model", pickled=True)
    weights = folder / "open_clip_pytorch_model.bin"
    tensors = {f"module.{name}": tensor for name, tensor in torch.load(weights).items()}
    torch.save({"epoch": 3, "state_dict": tensors}, weights)
    assert load(folder, tmp_path / "cache").space.dimension == DIMENSION


def test_weights_that_lack_a_tensor_or_have_one_too_many_are_refused(tmp_path: Path) -> None:
    import torch

    folder = save_tiny_openclip(tmp_path / "model", pickled=True)
    weights = folder / "open_clip_pytorch_model.bin"
    tensors = torch.load(weights)
    torch.save({name: tensor for name, tensor in tensors.items() if name != "visual.proj"}, weights)
    with pytest.raises(ModelUnavailable, match=r"lack 1 tensors of the model .visual_projection.weight"):
        load(folder, tmp_path / "cache")
    torch.save({**tensors, "visual.adapter.weight": tensors["visual.proj"]}, weights)
    with pytest.raises(ModelUnavailable, match=r"a tensor visual.adapter.weight that no CLIP"):
        load(folder, tmp_path / "cache")
    torch.save({**tensors, "transformer.resblocks.0.gate.weight": tensors["visual.proj"]}, weights)
    with pytest.raises(ModelUnavailable, match=r"a tensor transformer.resblocks.0.gate.weight that no CLIP"):
        load(folder, tmp_path / "cache")


def test_a_translation_needs_a_place(tmp_path: Path) -> None:
    folder = save_tiny_openclip(tmp_path / "model")
    with pytest.raises(ModelUnavailable, match="no place was given"):
        load(folder, None)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelUnavailable, match="cannot be written"):
        load(folder, tmp_path / "file")
