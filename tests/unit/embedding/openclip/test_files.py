"""Which folders and repositories are read as OpenCLIP's, what they lack, and what of them is fetched."""

import json
from pathlib import Path

import pytest

from backend.embedding.folder import dimension_of, fingerprint_of, missing_files, wanted_names, weight_names
from backend.embedding.openclip.files import CONFIG_FILE, is_openclip

FILES = {
    CONFIG_FILE: json.dumps({"model_cfg": {"embed_dim": 512}, "preprocess_cfg": {}}),
    "open_clip_model.safetensors": "weights",
    "tokenizer.json": "{}",
    "tokenizer_config.json": "{}",
    "README.md": "about",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


class TestAFolder:
    def test_a_whole_one_lacks_nothing_and_tells_its_dimension(self, folder: Path) -> None:
        assert is_openclip(folder)
        assert missing_files(folder) == ()
        assert dimension_of(folder) == 512

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("open_clip_model.safetensors", "open_clip_model.safetensors"),
            ("tokenizer.json", "tokenizer.json or vocab.json (those of openai/clip-vit-base-patch32"),
        ],
    )
    def test_what_is_missing_is_named(self, folder: Path, name: str, said: str) -> None:
        (folder / name).unlink()
        [missing] = missing_files(folder)
        assert missing.startswith(said)

    def test_an_emptied_file_is_missing(self, folder: Path) -> None:
        (folder / CONFIG_FILE).write_bytes(b"")
        assert missing_files(folder) == (CONFIG_FILE,)
        assert dimension_of(folder) is None

    def test_pickled_weights_are_weights(self, folder: Path) -> None:
        (folder / "open_clip_model.safetensors").rename(folder / "open_clip_pytorch_model.bin")
        assert missing_files(folder) == ()

    def test_the_same_model_for_transformers_beside_it_wins(self, folder: Path) -> None:
        (folder / "config.json").write_text('{"model_type": "clip"}')
        assert is_openclip(folder)  # so far only its config is there
        (folder / "model.safetensors").write_text("weights")
        assert not is_openclip(folder)

    @pytest.mark.parametrize("config", ['{"model_type": "siglip", "auto_map": {"AutoModel": "own.Model"}}', "{}", "["])
    def test_unless_it_needs_code_of_its_own_or_says_nothing(self, folder: Path, config: str) -> None:
        (folder / "config.json").write_text(config)
        (folder / "model.safetensors").write_text("weights")
        assert is_openclip(folder)

    def test_a_text_model_has_to_be_of_another_kind(self, folder: Path) -> None:
        assert "config.json" in missing_files(folder, texts_only=True)


class TestFingerprint:
    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("open_clip_model.safetensors", "Weights"),
            (CONFIG_FILE, json.dumps({"model_cfg": {"embed_dim": 512, "quick_gelu": True}, "preprocess_cfg": {}})),
            ("tokenizer.json", '{"model": 1}'),
            ("tokenizer_config.json", '{"pad_token": "!"}'),
        ],
    )
    def test_it_changes_with_what_shapes_a_vector(self, folder: Path, name: str, text: str) -> None:
        before = fingerprint_of(folder)
        (folder / name).write_text(text)
        assert fingerprint_of(folder) != before

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("README.md", "more"),
            ("config.json", '{"auto_map": {}}'),
            ("open_clip_pytorch_model.bin", "the same weights, passed over"),
            (CONFIG_FILE, json.dumps({"preprocess_cfg": {}, "model_cfg": {"embed_dim": 512}}, indent=2)),
        ],
    )
    def test_it_stays_with_what_does_not(self, folder: Path, name: str, text: str) -> None:
        before = fingerprint_of(folder)
        (folder / name).write_text(text)
        assert fingerprint_of(folder) == before


class TestWhatIsFetched:
    def test_of_a_repository_in_this_format_what_the_loader_reads(self) -> None:
        names = [*FILES, "open_clip_pytorch_model.bin"]
        assert sorted(wanted_names(names)) == sorted(set(FILES) - {"README.md"})
        assert weight_names(wanted_names(names)) == ["open_clip_model.safetensors"]

    def test_of_one_in_both_formats_that_of_transformers(self) -> None:
        names = [*FILES, "config.json", "preprocessor_config.json", "model.safetensors"]
        wanted = wanted_names(names)
        assert {"config.json", "model.safetensors"} <= set(wanted)
        assert not {CONFIG_FILE, "open_clip_model.safetensors"} & set(wanted)

    def test_of_one_with_code_of_its_own_this_format(self) -> None:
        names = [*FILES, "config.json", "model.safetensors", "modeling_shop.py"]
        assert "config.json" not in wanted_names(names)
        assert weight_names(wanted_names(names)) == ["open_clip_model.safetensors"]
