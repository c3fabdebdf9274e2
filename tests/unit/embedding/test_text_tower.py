"""A CLIP whose texts are read by another model. Slow: importing sentence-transformers takes several seconds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from backend.errors import ModelUnavailable
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.tiny_clip import DIMENSION

if TYPE_CHECKING:
    from backend.embedding.text_tower import WithTextTower
    from backend.ports import Embedder

pytestmark = pytest.mark.slow

TEXTS = ["red shoe", "a blue dress", ""]


def save_text_model(folder: Path, clip: Path, dimension: int = DIMENSION) -> Path:
    """A BERT of one layer with the CLIP's tokeniser, pooled, and mapped to so many dimensions."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense, Pooling, Transformer
    from transformers import BertConfig, BertModel

    bert = Path(shutil.copytree(clip, folder / "bert"))
    for name in ("config.json", "processor_config.json", "model.safetensors"):
        (bert / name).unlink()
    named = json.loads((bert / "tokenizer_config.json").read_text())
    named |= {"processor_class": None, "tokenizer_class": "PreTrainedTokenizerFast"}
    (bert / "tokenizer_config.json").write_text(json.dumps(named))
    config = BertConfig(vocab_size=600, hidden_size=32, num_hidden_layers=1, num_attention_heads=2)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        BertModel(config).save_pretrained(bert)
        modules = [Transformer(str(bert)), Pooling(32), Dense(32, dimension, bias=False)]
        SentenceTransformer(modules=modules, device="cpu").save(str(folder / "texts"))
    return folder / "texts"


def combined(clip: Path, texts: Path) -> WithTextTower:
    from backend.embedding.clip import ClipEncoder
    from backend.embedding.text_tower import WithTextTower

    return WithTextTower(ClipEncoder(str(clip), device="cpu", exact=True, batch=4), str(texts), device="cpu")


@pytest.fixture(scope="module")
def texts(clip_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_text_model(tmp_path_factory.mktemp("texts"), clip_folder)


def test_pictures_are_the_clips_and_texts_the_other_models(clip_folder: Path, texts: Path) -> None:
    from sentence_transformers import SentenceTransformer

    from backend.embedding.clip import ClipEncoder

    encoder, clip = combined(clip_folder, texts), ClipEncoder(str(clip_folder), device="cpu", exact=True, batch=4)
    picture = np.full((40, 40, 3), 90, np.uint8)
    np.testing.assert_array_equal(encoder.embed_images([picture]), clip.embed_images([picture]))
    theirs = SentenceTransformer(str(texts), device="cpu").encode(TEXTS, normalize_embeddings=True)
    np.testing.assert_allclose(encoder.embed_texts(TEXTS), theirs, atol=1e-5)
    assert encoder.embed_texts([]).shape == (0, DIMENSION)


def test_an_index_does_not_know_who_reads_the_texts(clip_folder: Path, texts: Path) -> None:
    from backend.embedding.clip import ClipEncoder

    encoder, clip = combined(clip_folder, texts), ClipEncoder(str(clip_folder), device="cpu", exact=True, batch=4)
    assert encoder.space == clip.space
    assert str(texts) in encoder.how


def test_a_text_model_for_another_clip_is_refused(clip_folder: Path, tmp_path: Path) -> None:
    other = save_text_model(tmp_path, clip_folder, dimension=DIMENSION + 8)
    with pytest.raises(ModelUnavailable, match=f"gives {DIMENSION + 8} dimensions .* {DIMENSION}, so they cannot be"):
        combined(clip_folder, other)


def test_a_text_model_that_is_not_there_or_half_there_is_refused(
    clip_folder: Path, texts: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelUnavailable, match="Correct the setting `text_model`"):
        combined(clip_folder, tmp_path / "nothing")
    half = Path(shutil.copytree(texts, tmp_path / "half"))
    (half / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelUnavailable, match=r"lacks model.safetensors"):
        combined(clip_folder, half)


def test_the_packaged_encoder_has_words_of_its_own(tmp_path: Path) -> None:
    from backend.embedding.choice import load

    with pytest.raises(ModelUnavailable, match="has words of its own"):
        load("packaged", cache_dir=tmp_path, device="cpu", threads=1, text_model="multilingual")


def test_it_is_loaded_by_its_setting(clip_folder: Path, texts: Path, tmp_path: Path) -> None:
    from backend.embedding.choice import load

    loaded: Embedder = load(
        str(clip_folder), cache_dir=tmp_path, device="cpu", threads=1, exact=True, text_model=str(texts)
    )
    assert loaded.embed_texts(TEXTS).shape == (3, DIMENSION)
    assert "float32" in loaded.how


def test_pictures_may_come_from_any_encoder_of_the_right_length(clip_folder: Path, tmp_path: Path) -> None:
    from backend.embedding.text_tower import WithTextTower

    fake = FakeEmbedder()
    texts = save_text_model(tmp_path, clip_folder, dimension=fake.space.dimension)
    encoder = WithTextTower(fake, str(texts), device="cpu")
    assert encoder.picture_side == fake.picture_side
