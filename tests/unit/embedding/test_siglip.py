"""SigLIP, and SigLIP 2 of a fixed resolution, from transformers' own files; NaFlex is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from backend.errors import ModelUnavailable
from tests.fakes.tiny_clip import SIDE, TOKEN_LIMIT
from tests.processor import WAY_IN_BFLOAT16

if TYPE_CHECKING:
    from backend.embedding.clip import ClipEncoder

pytestmark = pytest.mark.slow

TEXTS = ["red shoe", "a blue dress", "red " * 40]
TOWER = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}


@pytest.fixture(scope="module")
def folder(clip_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As google/siglip-base-patch16-224 and google/siglip2-base-patch16-224, which both say `siglip`, are laid out."""
    import torch
    from transformers import SiglipConfig, SiglipModel
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    folder = tmp_path_factory.mktemp("siglip")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(clip_folder / name, folder / name)
    text = {**TOWER, "vocab_size": 600, "max_position_embeddings": TOKEN_LIMIT}
    config = SiglipConfig(text_config=text, vision_config={**TOWER, "image_size": SIDE, "patch_size": 8})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        SiglipModel(config).save_pretrained(folder)
    SiglipImageProcessorPil(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    return folder


def load(folder: Path, **named: Any) -> ClipEncoder:
    from backend.embedding.clip import ClipEncoder

    return ClipEncoder(str(folder), **{"device": "cpu", "exact": True, "batch": 4, **named})


def test_vectors_are_those_of_transformers(folder: Path) -> None:
    import torch
    from transformers import AutoTokenizer, SiglipModel
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    random = np.random.default_rng(3)
    pictures = [random.integers(0, 256, (*size, 3), dtype=np.uint8) for size in ((40, 60), (90, 33))]
    model = SiglipModel.from_pretrained(folder).eval()
    pixels = SiglipImageProcessorPil.from_pretrained(folder)(pictures, return_tensors="pt")["pixel_values"]
    # As the model's page on the hub says: padded to the limit, and nothing told of where the padding is.
    padded = {"padding": "max_length", "max_length": TOKEN_LIMIT, "truncation": True}
    tokens = AutoTokenizer.from_pretrained(folder)(TEXTS, return_tensors="pt", **padded).input_ids
    encoder = load(folder)
    with torch.inference_mode():
        images = model.get_image_features(pixel_values=pixels).pooler_output
        texts = model.get_text_features(input_ids=tokens).pooler_output
    for ours, theirs in ((encoder.embed_images(pictures), images), (encoder.embed_texts(TEXTS), texts)):
        np.testing.assert_allclose(ours, torch.nn.functional.normalize(theirs, dim=1).numpy(), atol=1e-3)


def test_the_fastest_way_gives_them_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr("backend.embedding.clip.fast_dtype", lambda device: torch.bfloat16)
    fast = load(folder, exact=False)
    assert WAY_IN_BFLOAT16 in fast.how
    assert np.einsum("nd,nd->n", fast.embed_texts(TEXTS), load(folder).embed_texts(TEXTS)).min() > 0.995


def test_naflex_is_refused_and_what_to_take_instead_is_said(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "naflex"))
    config = json.loads((copy / "config.json").read_text()) | {"model_type": "siglip2"}
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelUnavailable, match=r"of the NaFlex kind.*Choose a SigLIP 2 of a fixed resolution"):
        load(copy)
