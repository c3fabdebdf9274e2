"""`shelfsight model`: plain lines, and exit statuses like the other commands'."""

import json
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from backend import opening
from backend.cli.main import app
from backend.embedding import hub as hub_module
from backend.embedding.choice import Choice
from backend.embedding.folder import fingerprint_of
from backend.embedding.hub import Hub
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.hub import FakeHub, serving
from tests.fakes.tiny_clip import save_tiny_clip

REPOSITORY = "sentence-transformers/clip-ViT-B-32"


def shelfsight(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["model", *arguments])


def found(result: Result) -> dict[str, str]:
    """Name -> value of the lines a command printed."""
    assert result.exit_code == 0, result.output
    return {line[:14].strip(): line[15:] for line in result.stdout.splitlines()}


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SHELFSIGHT_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "a model"
    folder.mkdir()
    for name in ("preprocessor_config.json", "tokenizer.json", "model.safetensors"):
        (folder / name).write_text("{}")
    (folder / "config.json").write_text(json.dumps({"projection_dim": 512}))
    return folder


@pytest.fixture
def served(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A hub that has the folder, in the place of the real one."""
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    with serving(FakeHub(REPOSITORY, files)) as served:
        here = partial(Hub, endpoint=served.endpoint, cache_dir=tmp_path / "cache")
        monkeypatch.setattr(hub_module, "Hub", here)
        yield served


class TestShow:
    def test_a_named_folder(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SHELFSIGHT_MODEL", str(folder))
        lines = found(shelfsight("show"))
        assert lines == {
            "model": str(folder),
            "why": f"the setting `model` names {folder}",
            "where": str(folder),
            "size": "0.0 MB",
            "dimension": "512",
            "fingerprint": fingerprint_of(folder),
        }

    def test_a_folder_that_is_incomplete_is_an_error(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (folder / "model.safetensors").unlink()
        monkeypatch.setenv("SHELFSIGHT_MODEL", str(folder))
        result = shelfsight("show")
        assert result.exit_code == 2
        assert result.stderr.startswith("model_unavailable: ")


class TestPull:
    def test_it_says_where_the_model_is_and_what_to_do_next(
        self, served: FakeHub, folder: Path, tmp_path: Path
    ) -> None:
        target = tmp_path / "carried"
        lines = found(shelfsight("pull", "clip-ViT-B-32", str(target)))
        assert lines["folder"] == str(target)
        assert lines["fingerprint"] == fingerprint_of(folder) == fingerprint_of(target)
        assert f"SHELFSIGHT_MODEL={target}" in lines["next"]

    def test_a_hub_in_trouble_is_an_error(self, served: FakeHub, tmp_path: Path) -> None:
        served.status = 500
        result = shelfsight("pull", "clip-ViT-B-32", str(tmp_path / "carried"))
        assert result.exit_code == 2
        assert "status 500" in result.stderr
        assert not (tmp_path / "carried").exists()

    def test_a_folder_that_is_not_empty_is_refused_before_anything_is_asked(
        self, served: FakeHub, folder: Path
    ) -> None:
        result = shelfsight("pull", "clip-ViT-B-32", str(folder))
        assert result.exit_code == 2
        assert "not empty" in result.stderr
        assert served.asked == []


class TestCheck:
    @pytest.fixture
    def embedder(self, monkeypatch: pytest.MonkeyPatch) -> FakeEmbedder:
        embedder = FakeEmbedder()
        monkeypatch.setattr(
            opening, "load_embedder", lambda _settings, model, _stored: (embedder, Choice(model, "a test said so"))
        )
        return embedder

    def test_one_that_works(self, embedder: FakeEmbedder) -> None:
        lines = found(shelfsight("check", "some-model"))
        assert (lines["model"], lines["why"]) == ("some-model", "a test said so")
        assert (lines["dimension"], lines["fingerprint"]) == ("32", embedder.space.fingerprint)
        assert lines["computes with"] == embedder.how
        assert lines["one picture"].endswith(" s")
        assert "finite" in lines["vectors"]

    def test_without_a_name_it_is_what_a_start_would_use(
        self, embedder: FakeEmbedder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SHELFSIGHT_MODEL", "packaged")
        assert found(shelfsight("check"))["model"] == "packaged"

    def test_one_that_fails_is_one_line_and_status_1(self, embedder: FakeEmbedder) -> None:
        embedder.fail(RuntimeError("no kernel\nfor this"))
        result = shelfsight("check", "some-model")
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == "The encoder fails on pictures: RuntimeError: no kernel for this\n"

    @pytest.mark.parametrize("damage", ["missing", "half"])
    def test_a_folder_that_cannot_be_whole(self, folder: Path, damage: str) -> None:
        name = "model.safetensors" if damage == "half" else "tokenizer.json"
        (folder / name).write_bytes(b"") if damage == "half" else (folder / name).unlink()
        result = shelfsight("check", str(folder))
        assert result.exit_code == 1
        assert name in result.stderr
        assert len(result.stderr.splitlines()) == 1


@pytest.mark.slow
class TestCheckOfRealModels:
    @pytest.fixture
    def clip(self, tmp_path: Path) -> Path:
        return save_tiny_clip(tmp_path / "clip")

    def test_a_whole_one(self, clip: Path) -> None:
        lines = found(shelfsight("check", str(clip)))
        assert (lines["dimension"], lines["fingerprint"]) == ("24", fingerprint_of(clip))

    def test_weights_that_are_no_numbers(self, clip: Path) -> None:
        from safetensors.torch import load_file, save_file

        tensors = load_file(clip / "model.safetensors")
        tensors["visual_projection.weight"][0, 0] = float("nan")
        save_file(tensors, clip / "model.safetensors", metadata={"format": "pt"})
        self._refused(clip, "not all finite numbers")

    def test_weights_cut_off_in_the_middle(self, clip: Path) -> None:
        weights = clip / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
        self._refused(clip, "could not be loaded")

    def test_a_model_of_texts_alone(self, clip: Path, tmp_path: Path) -> None:
        from transformers import BertConfig, BertModel

        shutil.rmtree(clip)
        BertModel(
            BertConfig(vocab_size=60, hidden_size=32, num_hidden_layers=1, num_attention_heads=2)
        ).save_pretrained(clip)
        self._refused(clip, "the model reads no pictures")

    def _refused(self, clip: Path, said: str) -> None:
        result = shelfsight("check", str(clip))
        assert (result.exit_code, result.stdout) == (1, "")
        assert said in result.stderr
