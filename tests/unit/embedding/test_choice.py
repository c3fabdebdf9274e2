import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from backend.embedding import choice as module
from backend.embedding.choice import Choice, LocalProbes, check_space, choose, load, load_chosen, same_model
from backend.embedding.folder import fingerprint_of
from backend.embedding.hub import Hub
from backend.errors import ModelMismatch, ModelUnavailable
from backend.ports import Embedder, Space
from tests.fakes.embedder import FakeEmbedder

CLIP = "clip-ViT-B-32"
NO_ANSWER = "the model hub did not answer within 3 s"


@dataclass
class Probes:
    """Answers from a table; an empty one fails the test when anything is asked."""

    cached: bool | None = None
    refused: str | None = "never asked"
    half: str | None = None
    fingerprints: dict[str, str] = field(default_factory=dict)

    def is_cached(self, model: str) -> bool:
        assert self.cached is not None
        assert model == CLIP
        return self.cached

    def half_copy(self, model: str) -> str | None:
        assert self.cached is False
        assert model == CLIP
        return self.half

    def refusal(self, model: str) -> str | None:
        assert self.refused != "never asked"
        assert model == CLIP
        return self.refused

    def fingerprint(self, model: str) -> str | None:
        return self.fingerprints.get(model)


def space(model: str, fingerprint: str = "f" * 16, dimension: int = 512) -> Space:
    return Space(model=model, dimension=dimension, fingerprint=fingerprint)


class TestAutoWithoutAnIndex:
    def test_takes_clip_from_the_cache_without_asking_the_hub(self) -> None:
        chosen = choose("auto", None, Probes(cached=True))
        assert chosen == Choice(CLIP, "auto chose clip-ViT-B-32: it is in the local model cache")

    def test_takes_clip_from_a_hub_that_answers(self) -> None:
        chosen = choose("auto", None, Probes(cached=False, refused=None))
        assert chosen == Choice(CLIP, "auto chose clip-ViT-B-32: the model hub answered and will send it once")

    def test_takes_the_packaged_encoder_else_and_says_why(self) -> None:
        assert choose("auto", None, Probes(cached=False, refused=NO_ANSWER)) == Choice(
            "packaged",
            "auto chose the packaged encoder: the model hub did not answer within 3 s and clip-ViT-B-32 is not cached",
        )

    @pytest.mark.parametrize(
        ("refused", "reason"),
        [
            (NO_ANSWER, f"auto chose the packaged encoder: {NO_ANSWER} and of {CLIP} a half was found"),
            (
                None,
                f"auto chose {CLIP}: the model hub answered and will send it once; a half was found, the rest follows",
            ),
        ],
    )
    def test_says_when_a_download_was_cut_off(self, refused: str | None, reason: str) -> None:
        assert choose("auto", None, Probes(cached=False, refused=refused, half="a half was found")).reason == reason


class TestAnIndexDecides:
    @pytest.mark.parametrize("stored", ["packaged", "openai/clip", "/models/mine"])
    def test_auto_keeps_its_encoder_and_asks_nothing(self, stored: str) -> None:
        chosen = choose("auto", space(stored), Probes())
        assert chosen.model == stored
        assert chosen.reason.endswith("the index was built with it")

    @pytest.mark.parametrize(
        ("setting", "stored"),
        [
            ("packaged", "packaged"),
            (CLIP, CLIP),
            (CLIP, f"sentence-transformers/{CLIP}"),
            (f"sentence-transformers/{CLIP}", CLIP),
        ],
    )
    def test_naming_its_encoder_is_fine_however_it_is_spelt(self, setting: str, stored: str) -> None:
        assert choose(setting, space(stored), Probes()).model == setting

    @pytest.mark.parametrize(
        ("setting", "stored"), [(CLIP, "packaged"), ("packaged", CLIP), ("openai/clip", CLIP), ("/models/new", CLIP)]
    )
    def test_naming_another_is_refused_with_the_command_to_run(self, setting: str, stored: str) -> None:
        with pytest.raises(ModelMismatch, match=f"`shelfsight reindex --model {setting}`"):
            choose(setting, space(stored), Probes())

    def test_the_command_quotes_a_path_with_spaces(self) -> None:
        with pytest.raises(ModelMismatch, match="--model '/my models/a'`"):
            choose("/my models/a", space(CLIP), Probes())

    def test_a_moved_folder_of_the_same_weights_is_fine(self) -> None:
        probes = Probes(fingerprints={"/new/place": "f" * 16, "/other/weights": "0" * 16})
        assert choose("/new/place", space("/old/place"), probes).model == "/new/place"
        with pytest.raises(ModelMismatch):
            choose("/other/weights", space("/old/place"), probes)


class TestNames:
    def test_a_relative_folder_is_chosen_by_its_full_path(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "mine").mkdir()
        assert choose("mine", None, Probes()).model == str(tmp_path / "mine")
        assert same_model("mine", str(tmp_path / "mine"))
        assert same_model("./mine/", "mine")

    def test_a_folder_called_packaged_does_not_hide_the_packaged_encoder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "packaged").mkdir()
        assert choose("packaged", space("packaged"), Probes()).model == "packaged"

    def test_the_reason_names_the_setting(self) -> None:
        assert choose("openai/clip", None, Probes()).reason == "the setting `model` names openai/clip"


class TestCheckSpace:
    def test_the_same_weights_under_another_name_pass(self) -> None:
        check_space(space("/new/place"), space("/old/place"))

    @pytest.mark.parametrize("actual", [space(CLIP, "0" * 16), space(CLIP, dimension=256)])
    def test_other_weights_or_dimensions_are_refused_with_the_command_to_run(self, actual: Space) -> None:
        with pytest.raises(
            ModelMismatch, match=f"Put the old weights back, or run `shelfsight reindex --model {CLIP}`"
        ):
            check_space(actual, space(CLIP))


class TestLocalProbes:
    @pytest.fixture
    def model(self, tmp_path: Path) -> Path:
        for name in ("config.json", "preprocessor_config.json", "tokenizer.json", "model.safetensors"):
            (tmp_path / name).write_text("{}")
        return tmp_path

    def test_a_folder_is_fingerprinted_where_it_lies(self, model: Path) -> None:
        assert LocalProbes().fingerprint(str(model)) == fingerprint_of(model)

    def test_a_half_copied_folder_or_an_uncached_model_has_no_fingerprint(self, model: Path, tmp_path: Path) -> None:
        probes = LocalProbes(Hub(cache_dir=tmp_path / "cache"))
        assert probes.fingerprint(CLIP) is None
        assert not probes.is_cached(CLIP)
        (model / "model.safetensors").unlink()
        assert probes.fingerprint(str(model)) is None


@pytest.fixture
def loadable(monkeypatch: pytest.MonkeyPatch) -> dict[str, Embedder]:
    """Replace the encoders by fakes: what is not in the table cannot be loaded."""
    encoders: dict[str, Embedder] = {"packaged": FakeEmbedder(model="packaged")}

    def from_table(model: str, **_named: object) -> Embedder:
        if model not in encoders:
            raise ModelUnavailable(f"The download of {model} broke. Set something else.")
        return encoders[model]

    monkeypatch.setattr(module, "load", from_table)
    return encoders


@pytest.fixture
def hub_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LocalProbes", lambda _hub: Probes(cached=False, refused=None))


@pytest.mark.usefixtures("hub_answers")
class TestLoadChosen:
    def test_a_broken_download_under_auto_gives_way_to_the_packaged_encoder(
        self, loadable: dict[str, Embedder], tmp_path: Path
    ) -> None:
        embedder, chosen = load_chosen("auto", None, cache_dir=tmp_path, device="cpu", threads=1)
        assert embedder is loadable["packaged"]
        assert chosen == Choice("packaged", f"auto chose the packaged encoder: The download of {CLIP} broke")

    @pytest.mark.usefixtures("loadable")
    @pytest.mark.parametrize(("setting", "stored"), [(CLIP, None), ("auto", space(CLIP))])
    def test_it_does_not_when_the_model_was_named_or_an_index_exists(
        self, setting: str, stored: Space | None, tmp_path: Path
    ) -> None:
        with pytest.raises(ModelUnavailable, match="broke"):
            load_chosen(setting, stored, cache_dir=tmp_path, device="cpu", threads=1)

    def test_weights_that_changed_under_the_same_name_are_refused(
        self, loadable: dict[str, Embedder], tmp_path: Path
    ) -> None:
        loadable[CLIP] = FakeEmbedder(model=CLIP, seed=1)
        with pytest.raises(ModelMismatch, match="reindex"):
            load_chosen("auto", FakeEmbedder(model=CLIP).space, cache_dir=tmp_path, device="cpu", threads=1)

    def test_an_index_of_the_same_weights_is_served(self, loadable: dict[str, Embedder], tmp_path: Path) -> None:
        loadable[CLIP] = FakeEmbedder(model=CLIP)
        embedder, _ = load_chosen(CLIP, FakeEmbedder(model=CLIP).space, cache_dir=tmp_path, device="cpu", threads=1)
        assert embedder is loadable[CLIP]


def test_neither_deciding_nor_refusing_imports_torch() -> None:
    code = """
import sys
from pathlib import Path
from backend.embedding.choice import load
from backend.errors import ModelUnavailable
try:
    load("./nothing-here", cache_dir=Path("."), device="cpu", threads=1)
except ModelUnavailable:
    sys.exit("torch" in sys.modules)
sys.exit(2)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


@pytest.mark.slow
def test_a_folder_is_loaded_as_clip(clip_folder: Path, tmp_path: Path) -> None:
    embedder = load(str(clip_folder), cache_dir=tmp_path, device="cpu", threads=None)
    assert embedder.space.model == str(clip_folder)


@pytest.mark.slow
def test_packaged_is_loaded_by_its_name(tmp_path: Path) -> None:
    pytest.importorskip("backend.embedding.packaged.encoder", exc_type=ImportError)
    assert load("packaged", cache_dir=tmp_path, device="cpu", threads=1).space.model == "packaged"
