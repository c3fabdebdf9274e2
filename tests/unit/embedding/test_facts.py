import json
from pathlib import Path

import pytest

from backend.embedding.facts import ModelFacts, facts_of
from backend.embedding.folder import dimension_of, fingerprint_of
from backend.embedding.hub import Hub
from backend.errors import ModelUnavailable


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("preprocessor_config.json", "tokenizer.json", "model.safetensors"):
        (folder / name).write_text("{}")
    (folder / "config.json").write_text(json.dumps({"model_type": "clip", "projection_dim": 512}))
    return folder


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    return Hub(endpoint="http://127.0.0.1:9", cache_dir=tmp_path / "cache")  # nobody may be asked


def test_a_folder_tells_all_without_being_loaded(folder: Path, hub: Hub, tmp_path: Path) -> None:
    size = sum(path.stat().st_size for path in folder.iterdir())
    assert facts_of(str(folder), cache_dir=tmp_path, hub=hub) == ModelFacts(
        str(folder), size, 512, fingerprint_of(folder)
    )


def test_a_model_that_is_not_here_is_not_asked_for(hub: Hub, tmp_path: Path) -> None:
    facts = facts_of("clip-ViT-B-32", cache_dir=tmp_path, hub=hub)
    assert facts == ModelFacts("not on this machine yet; the start downloads it")


def test_a_half_downloaded_one_is_told_of(hub: Hub, tmp_path: Path) -> None:
    blob = tmp_path / "cache" / "models--sentence-transformers--clip-ViT-B-32" / "blobs" / "0.incomplete"
    blob.parent.mkdir(parents=True)
    blob.write_text("half")
    assert "half-downloaded" in facts_of("clip-ViT-B-32", cache_dir=tmp_path, hub=hub).where


def test_an_incomplete_folder_is_refused(folder: Path, hub: Hub, tmp_path: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelUnavailable, match=r"lacks model.safetensors"):
        facts_of(str(folder), cache_dir=tmp_path, hub=hub)


@pytest.mark.parametrize("config", ["{", "[]", '{"model_type": "siglip"}', '{"projection_dim": "512"}'])
def test_a_dimension_that_no_config_tells_takes_loading(folder: Path, config: str) -> None:
    (folder / "config.json").write_text(config)
    assert dimension_of(folder) is None


def test_a_module_after_the_towers_decides_the_dimension(folder: Path) -> None:
    (folder / "modules.json").write_text(json.dumps([{"path": ""}]))
    assert dimension_of(folder) == 512
    (folder / "modules.json").write_text(json.dumps([{"path": ""}, {"path": "1_Dense"}]))
    assert dimension_of(folder) is None


@pytest.mark.slow
def test_the_packaged_encoder_tells_what_it_tells_when_it_is_loaded(hub: Hub, tmp_path: Path) -> None:
    encoder = pytest.importorskip("backend.embedding.packaged.encoder", exc_type=ImportError)
    facts = facts_of("packaged", cache_dir=tmp_path, hub=hub)
    space = encoder.PackagedEncoder(cache_dir=tmp_path).space
    assert (facts.dimension, facts.fingerprint) == (space.dimension, space.fingerprint)
    assert facts.size_bytes is not None
    assert facts.size_bytes > 50e6
