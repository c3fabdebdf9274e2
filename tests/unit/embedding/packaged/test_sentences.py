"""The sentence model as its makers' library computes it, without that library."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from backend.embedding.packaged import weights
from backend.embedding.packaged.sentences import SENTENCE_DIMENSION, Sentences
from backend.errors import ModelUnavailable

TEXTS = ["red shoe", "", "Röcke & Schuhe, 42 (NEU)", "a long blue summer dress with white flowers", "shoe " * 400, "鞋"]


@pytest.fixture(scope="module")
def folder() -> Path:
    return weights.sentences_folder()


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


@pytest.mark.slow
def test_vectors_are_those_of_sentence_transformers(folder: Path) -> None:
    from sentence_transformers import SentenceTransformer

    theirs = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    wanted = theirs.encode(TEXTS, normalize_embeddings=True, show_progress_bar=False)
    np.testing.assert_allclose(Sentences(folder).embed(TEXTS), wanted, atol=2e-6)


def test_a_text_does_not_depend_on_what_is_beside_it(folder: Path) -> None:
    sentences = Sentences(folder)
    many = TEXTS * 20  # more than one batch, and in another order than their lengths
    together = sentences.embed(many)
    alone = np.concatenate([sentences.embed([text]) for text in TEXTS])
    np.testing.assert_allclose(together, np.tile(alone, (20, 1)), atol=2e-6)
    assert sentences.embed([]).shape == (0, SENTENCE_DIMENSION)


def test_the_packaged_encoder_loads_no_library_of_models(tmp_path: Path) -> None:
    """Importing them takes longer than everything else at a start."""
    code = (
        "import sys; from pathlib import Path; from backend.embedding.choice import load;"
        f"load('packaged', cache_dir=Path({str(tmp_path)!r}), device='cpu', threads=1).embed_texts(['red shoe']);"
        "print([name for name in ('sentence_transformers', 'transformers', 'sklearn', 'scipy') if name in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert loaded.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
@pytest.mark.parametrize("data", [b"", b"{}"])
def test_a_damaged_file_is_told_of(copy: Path, name: str, data: bytes) -> None:
    (copy / name).write_bytes(data)
    with pytest.raises(ModelUnavailable, match="does not hold the sentence model"):
        Sentences(copy)


def test_another_network_is_not_read_as_if_it_were_this_one(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text()) | {"hidden_act": "relu"}
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelUnavailable, match="is not of a network with"):
        Sentences(copy)
