"""A model in a folder of its own: complete, or not there."""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.embedding.folder import fingerprint_of, missing_files
from backend.embedding.hub import Hub
from backend.embedding.pulling import pull, pull_refusal
from backend.errors import ModelUnavailable
from tests.fakes.hub import CLIP_FILES, FakeHub, serving

NAME = "clip-ViT-B-32"
REPOSITORY = f"sentence-transformers/{NAME}"
NEEDED = set(CLIP_FILES) - {"README.md", "0_CLIPModel/pytorch_model.bin"}


@pytest.fixture
def served() -> Iterator[FakeHub]:
    with serving(FakeHub(REPOSITORY, CLIP_FILES)) as hub:
        yield hub


@pytest.fixture
def hub(served: FakeHub, tmp_path: Path) -> Hub:
    return Hub(endpoint=served.endpoint, cache_dir=tmp_path / "cache")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Not there yet, and neither is the one it shall be in."""
    return tmp_path / "models" / "clip"


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


class TestPull:
    def test_it_brings_what_the_loader_needs_and_no_more(self, hub: Hub, folder: Path) -> None:
        pull(NAME, folder, hub)
        assert names(folder) == NEEDED
        assert missing_files(folder) == ()
        assert [path.name for path in folder.parent.iterdir()] == ["clip"]
        assert hub.cached_folder(REPOSITORY) is None  # no second copy of hundreds of megabytes
        assert hub.half_copy(REPOSITORY) is None

    def test_a_model_in_the_cache_is_copied_without_asking_the_hub(
        self, served: FakeHub, hub: Hub, folder: Path
    ) -> None:
        cached = hub.download(REPOSITORY)
        served.asked.clear()
        pull(NAME, folder, hub)
        assert names(folder) == NEEDED
        assert not any(path.is_symlink() for path in folder.rglob("*"))
        assert fingerprint_of(folder) == fingerprint_of(cached)
        assert served.asked == []

    def test_others_on_the_machine_may_read_it(self, hub: Hub, folder: Path, tmp_path: Path) -> None:
        (tmp_path / "usual").mkdir()
        pull(NAME, folder, hub)
        assert stat.S_IMODE(folder.stat().st_mode) == stat.S_IMODE((tmp_path / "usual").stat().st_mode)

    def test_an_empty_folder_is_filled(self, hub: Hub, folder: Path) -> None:
        folder.mkdir(parents=True)
        pull(NAME, folder, hub)
        assert names(folder) == NEEDED

    @pytest.mark.parametrize(
        "trouble",
        [
            {"status": 500},
            {"resets": True},
            {"missing": frozenset({"0_CLIPModel/tokenizer.json"})},
            {"halved": frozenset({"0_CLIPModel/model.safetensors"})},
        ],
    )
    def test_when_anything_fails_nothing_is_left(
        self,
        served: FakeHub,
        hub: Hub,
        folder: Path,
        trouble: dict[str, object],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("time.sleep", lambda _seconds: None)  # between the client's tries to go on
        for name, value in trouble.items():
            setattr(served, name, value)
        with pytest.raises(ModelUnavailable, match="cannot be downloaded"):
            pull(NAME, folder, hub)
        assert list(folder.parent.iterdir()) == []

    def test_a_repository_that_is_no_clip_model_leaves_nothing(self, folder: Path, tmp_path: Path) -> None:
        with (
            serving(FakeHub(REPOSITORY, {"config.json": b"{}", "model.safetensors": b"w"})) as served,
            pytest.raises(ModelUnavailable, match="is no CLIP model"),
        ):
            pull(NAME, folder, Hub(endpoint=served.endpoint, cache_dir=tmp_path / "cache"))
        assert list(folder.parent.iterdir()) == []

    def test_what_came_there_meanwhile_is_not_overwritten(self, hub: Hub, folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "mine").write_text("kept")
        with pytest.raises(ModelUnavailable, match="cannot be written"):
            pull(NAME, folder, hub)
        assert names(folder) == {"mine"}
        assert [path.name for path in folder.parent.iterdir()] == ["clip"]

    def test_a_place_that_cannot_be_written_is_named(self, hub: Hub, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("no folder")
        with pytest.raises(ModelUnavailable, match=r"cannot be written: .*file"):
            pull(NAME, tmp_path / "file" / "clip", hub)


class TestRefusal:
    def test_a_new_or_an_empty_folder_is_fine(self, tmp_path: Path) -> None:
        assert pull_refusal(NAME, tmp_path / "new") is None
        assert pull_refusal(NAME, tmp_path) is None

    def test_a_folder_that_holds_something_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_text("")
        for place in (tmp_path, tmp_path / "a"):
            refusal = pull_refusal(NAME, place)
            assert refusal == f"{place} is there already and not empty; name a new folder"

    def test_a_mounted_disk_is_refused(self) -> None:
        assert pull_refusal(NAME, Path("/")) == "a disk is mounted at /; name a folder inside it"

    @pytest.mark.parametrize("name", ["auto", "packaged"])
    def test_what_needs_no_hub_is_refused(self, name: str, tmp_path: Path) -> None:
        assert "the packaged encoder needs none" in str(pull_refusal(name, tmp_path))

    def test_a_folder_is_no_name(self, tmp_path: Path) -> None:
        assert "is a folder, not a model of the hub" in str(pull_refusal(str(tmp_path), tmp_path / "new"))
