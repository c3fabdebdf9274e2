import json
import shutil
from pathlib import Path

import pytest

from backend.embedding.folder import fingerprint_of, missing_files, wanted_names
from backend.errors import ModelUnavailable

CONFIG = {"model_type": "clip", "hidden_act": "quick_gelu", "transformers_version": "4.40.0", "_name_or_path": "/a"}


def write_files(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def plain_files() -> dict[str, bytes]:
    return {
        "config.json": json.dumps(CONFIG).encode(),
        "preprocessor_config.json": b'{"size": 224}',
        "tokenizer.json": b'{"model": "bpe"}',
        "tokenizer_config.json": b"{}",
        "model.safetensors": b"weights",
        "README.md": b"about",
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_files(tmp_path / "model", plain_files())


class TestMissingFiles:
    def test_a_whole_folder_lacks_nothing(self, folder: Path) -> None:
        assert missing_files(folder) == ()

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("config.json", "config.json"),
            ("preprocessor_config.json", "preprocessor_config.json or processor_config.json"),
            ("tokenizer.json", "tokenizer.json or vocab.json"),
            ("model.safetensors", "model.safetensors"),
        ],
    )
    @pytest.mark.parametrize("how", ["removed", "emptied"])
    def test_a_file_that_is_not_there_or_empty_is_named(self, folder: Path, name: str, said: str, how: str) -> None:
        (folder / name).unlink() if how == "removed" else (folder / name).write_bytes(b"")
        assert missing_files(folder) == (said,)

    def test_a_vocabulary_needs_its_merges(self, folder: Path) -> None:
        (folder / "tokenizer.json").rename(folder / "vocab.json")
        assert missing_files(folder) == ("merges.txt",)

    def test_every_shard_of_an_index_is_needed(self, folder: Path) -> None:
        (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
        shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
        assert missing_files(folder) == ("model-00002-of-00002.safetensors",)

    def test_the_first_module_of_sentence_transformers_is_looked_into(self, tmp_path: Path) -> None:
        files = {f"0_CLIPModel/{name}": data for name, data in plain_files().items()}
        folder = write_files(tmp_path, {"modules.json": b'[{"path": "0_CLIPModel"}]', **files})
        assert missing_files(folder) == ()
        (folder / "0_CLIPModel" / "model.safetensors").unlink()
        assert missing_files(folder) == ("model.safetensors",)

    @pytest.mark.parametrize("name", ["modules.json", "model.safetensors.index.json"])
    @pytest.mark.parametrize("data", [b"{", b"7", b"[1]", b'{"weight_map": 7}'])
    def test_a_broken_listing_is_named(self, folder: Path, name: str, data: bytes) -> None:
        (folder / "model.safetensors").unlink()
        (folder / name).write_bytes(data)
        assert missing_files(folder) == (f"a readable {name}",)


class TestFingerprint:
    def test_it_is_the_same_for_a_copy_elsewhere(self, folder: Path, tmp_path: Path) -> None:
        assert fingerprint_of(Path(shutil.copytree(folder, tmp_path / "copy"))) == fingerprint_of(folder)

    @pytest.mark.parametrize(
        ("name", "data"),
        [
            ("model.safetensors", b"Weights"),
            ("preprocessor_config.json", b'{"size": 256}'),
            ("tokenizer.json", b'{"model": "unigram"}'),
            ("tokenizer_config.json", b'{"model_max_length": 77}'),
            ("config.json", json.dumps({**CONFIG, "hidden_act": "gelu"}).encode()),
        ],
    )
    def test_it_changes_with_everything_that_shapes_a_vector(self, folder: Path, name: str, data: bytes) -> None:
        before = fingerprint_of(folder)
        (folder / name).write_bytes(data)
        assert fingerprint_of(folder) != before

    @pytest.mark.parametrize(
        ("name", "data"),
        [
            ("README.md", b"more about"),
            ("pytorch_model.bin", b"the same weights as a pickle, which the loader passes over"),
            ("vocab.json", b"a vocabulary the loader passes over"),
            ("config.json", json.dumps({**CONFIG, "transformers_version": "5.23.0", "dtype": "float32"}).encode()),
        ],
    )
    def test_it_stays_with_what_does_not(self, folder: Path, name: str, data: bytes) -> None:
        before = fingerprint_of(folder)
        (folder / name).write_bytes(data)
        assert fingerprint_of(folder) == before

    def test_moving_bytes_from_one_file_to_the_next_changes_it(self, folder: Path) -> None:
        shards = {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}
        (folder / "model.safetensors").unlink()
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
        write_files(folder, {shards["a"]: b"ab", shards["b"]: b"c"})
        before = fingerprint_of(folder)
        write_files(folder, {shards["a"]: b"a", shards["b"]: b"bc"})
        assert fingerprint_of(folder) != before

    def test_the_same_bytes_under_another_name_change_it(self, folder: Path) -> None:
        before = fingerprint_of(folder)
        (folder / "preprocessor_config.json").rename(folder / "processor_config.json")
        assert fingerprint_of(folder) != before

    def test_a_config_that_is_no_json_is_refused(self, folder: Path) -> None:
        (folder / "config.json").write_bytes(b"{")
        with pytest.raises(ModelUnavailable, match="cannot be read"):
            fingerprint_of(folder)


class TestWantedNames:
    def test_of_two_kinds_of_weights_only_the_safe_one_is_fetched(self) -> None:
        names = ["0/model.safetensors", "0/pytorch_model.bin", "0/config.json", "modules.json", "README.md"]
        assert sorted(wanted_names(names)) == ["0/config.json", "0/model.safetensors", "modules.json"]

    def test_pickled_weights_are_fetched_when_there_are_no_others(self) -> None:
        assert wanted_names(["pytorch_model.bin", "tf_model.h5", "flax_model.msgpack"]) == ["pytorch_model.bin"]

    def test_shards_come_with_their_index(self) -> None:
        names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"]
        assert wanted_names(names) == names

    def test_weights_for_other_libraries_are_left(self) -> None:
        names = ["open_clip_model.safetensors", "onnx/model.onnx", "model.safetensors", "rust_model.ot"]
        assert wanted_names(names) == ["model.safetensors"]


def test_each_module_of_a_model_has_its_own_kind_of_weights() -> None:
    names = ["model.safetensors", "pytorch_model.bin", "2_Dense/pytorch_model.bin", "2_Dense/config.json"]
    assert wanted_names(names) == ["2_Dense/config.json", "model.safetensors", "2_Dense/pytorch_model.bin"]
