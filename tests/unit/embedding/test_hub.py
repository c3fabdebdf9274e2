import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import huggingface_hub.constants
import pytest

from backend.embedding.hub import Hub, folder_of, repository_of
from backend.errors import ModelUnavailable
from tests.fakes.hub import CLIP_FILES, COMMIT, FakeHub, serving

CLIP = "sentence-transformers/clip-ViT-B-32"
WEIGHTS = "0_CLIPModel/model.safetensors"


@pytest.fixture
def served() -> Iterator[FakeHub]:
    with serving(FakeHub(CLIP, CLIP_FILES)) as hub:
        yield hub


@pytest.fixture
def hub(served: FakeHub, tmp_path: Path) -> Hub:
    return Hub(endpoint=served.endpoint, cache_dir=tmp_path)


class TestRefusal:
    def test_a_hub_that_has_the_model_refuses_nothing(self, hub: Hub) -> None:
        assert hub.refusal(CLIP) is None

    def test_an_unknown_model(self, hub: Hub) -> None:
        assert hub.refusal("nobody/nothing") == (
            "the model hub has no model nobody/nothing, or asks for a token (HF_TOKEN) to show it"
        )

    def test_an_impossible_name(self, hub: Hub) -> None:
        assert hub.refusal("two words") == "two words is no possible name of a model on the hub"

    @pytest.mark.parametrize(
        ("trouble", "said", "requests"),
        [
            ({"status": 500}, "the model hub answered with status 500 for the listing", 1),
            (
                {"status": 401},
                "the model hub answered with status 401 for the listing; it may want another token (HF_TOKEN)",
                1,
            ),
            ({"resets": True}, "the model hub could not be reached (ReadError: ", 1),
            ({"file_status": 500}, f"the model hub answered with status 500 for {WEIGHTS}", 2),
            (
                {"file_status": 403},
                f"the model hub answered with status 403 for {WEIGHTS}; it may want another token (HF_TOKEN)",
                2,
            ),
            ({"missing": frozenset({WEIGHTS})}, f"the model hub answered with status 404 for {WEIGHTS}", 2),
        ],
    )
    def test_a_hub_in_trouble_is_known_for_it_at_its_first_wrong_answer(
        self, served: FakeHub, hub: Hub, trouble: dict[str, Any], said: str, requests: int
    ) -> None:
        for name, value in trouble.items():
            setattr(served, name, value)
        refusal = hub.refusal(CLIP)
        assert refusal is not None
        assert refusal.startswith(said)
        assert len(served.asked) == requests

    @pytest.mark.parametrize("slow", ["gate", "file_gate"])
    def test_a_hub_that_is_slow_to_list_or_to_send(self, served: FakeHub, tmp_path: Path, slow: str) -> None:
        getattr(served, slow).clear()
        hub = Hub(endpoint=served.endpoint, cache_dir=tmp_path, timeout_seconds=0.5)
        assert hub.refusal(CLIP) == "the model hub did not answer within 0.5 s"
        assert len(served.asked) <= 2

    def test_a_page_that_wants_a_login_instead_of_a_listing(self, served: FakeHub, hub: Hub) -> None:
        served.page = b"<html>Welcome to our guest network</html>"
        refusal = hub.refusal(CLIP)
        assert refusal is not None
        assert refusal.startswith("the model hub could not be reached (JSONDecodeError")
        assert "\n" not in refusal

    def test_a_hub_where_nobody_listens(self, tmp_path: Path) -> None:
        refusal = Hub(endpoint="http://127.0.0.1:9", cache_dir=tmp_path).refusal(CLIP)
        assert refusal is not None
        assert refusal.startswith("the model hub could not be reached (ConnectError")

    def test_a_hub_that_takes_the_call_and_stays_silent(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
            hub = Hub(endpoint=endpoint, cache_dir=tmp_path, timeout_seconds=0.2)
            assert hub.refusal(CLIP) == "the model hub did not answer within 0.2 s"

    def test_a_name_resolution_that_hangs(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        asked, released = Event(), Event()

        def hang(*_args: object, **_named: object) -> None:
            asked.set()
            released.wait()
            raise socket.gaierror("released")

        monkeypatch.setattr(socket, "getaddrinfo", hang)
        hub = Hub(endpoint="http://hub.invalid", cache_dir=tmp_path, timeout_seconds=0.5)
        try:
            assert hub.refusal(CLIP) == "the model hub did not answer within 0.5 s"
            assert asked.is_set()
        finally:
            released.set()

    def test_offline_mode_asks_nobody(self, served: FakeHub, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
        assert hub.refusal(CLIP) == "the model hub may not be asked (HF_HUB_OFFLINE is set)"
        assert served.asked == []


class TestDownload:
    def test_it_brings_what_the_loader_needs_and_no_more(self, served: FakeHub, hub: Hub) -> None:
        folder = hub.download(CLIP)
        assert {str(path.relative_to(folder)) for path in folder.rglob("*.*")} == (
            set(CLIP_FILES) - {"README.md", "0_CLIPModel/pytorch_model.bin"}
        )

    def test_it_is_then_in_the_cache(self, hub: Hub) -> None:
        assert hub.cached_folder(CLIP) is None
        assert hub.download(CLIP) == hub.cached_folder(CLIP)

    def test_a_file_that_cannot_be_fetched(self, served: FakeHub, hub: Hub) -> None:
        served.missing = frozenset({"0_CLIPModel/tokenizer.json"})
        with pytest.raises(ModelUnavailable, match=r"its download failed .* set `model` to `packaged`"):
            hub.download(CLIP)
        assert hub.cached_folder(CLIP) is None

    def test_a_file_that_breaks_off_each_time(
        self,
        served: FakeHub,
        hub: Hub,
        capfd: pytest.CaptureFixture[str],
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("time.sleep", lambda _seconds: None)  # between the client's tries to go on
        served.halved = frozenset({WEIGHTS})
        with pytest.raises(ModelUnavailable, match=r"its download failed .RemoteProtocolError") as failure:
            hub.download(CLIP)
        assert "\n" not in failure.value.detail
        assert served.asked.count(f"/{CLIP}/resolve/{COMMIT}/{WEIGHTS}") <= 8
        assert (capfd.readouterr().err, caplog.messages) == ("", [])  # the one line is the error's
        assert hub.cached_folder(CLIP) is None
        served.halved = frozenset()
        assert hub.download(CLIP) == hub.cached_folder(CLIP)

    def test_a_repository_that_is_no_clip_model(self, tmp_path: Path) -> None:
        with serving(FakeHub(CLIP, {"config.json": b"{}", "model.safetensors": b"w"})) as served:
            hub = Hub(endpoint=served.endpoint, cache_dir=tmp_path)
            with pytest.raises(ModelUnavailable, match=r"is no CLIP model .* lacks preprocessor_config.json"):
                hub.download(CLIP)

    def test_an_unreachable_hub_is_not_asked_twice(self, served: FakeHub, hub: Hub) -> None:
        served.status = 503
        with pytest.raises(ModelUnavailable, match="answered with status 503"):
            hub.download(CLIP)
        assert len(served.asked) == 1


class TestCache:
    def test_a_half_downloaded_snapshot_does_not_count(self, hub: Hub, tmp_path: Path) -> None:
        folder = hub.download(CLIP)
        (folder / "0_CLIPModel" / "tokenizer.json").unlink()
        assert hub.cached_folder(CLIP) is None

    def test_it_is_noticed_and_said(self, served: FakeHub, hub: Hub) -> None:
        assert hub.half_copy(CLIP) is None
        folder = hub.download(CLIP)
        assert hub.half_copy(CLIP) is None
        (folder / "0_CLIPModel" / "model.safetensors").unlink()
        half = "a half-downloaded copy was found in the local model cache (it lacks model.safetensors)"
        assert hub.half_copy(CLIP) == half
        served.status = 500
        with pytest.raises(ModelUnavailable) as failure:
            hub.locate(CLIP)
        assert f"{half}, and the rest cannot be downloaded: the model hub answered with" in failure.value.detail

    @pytest.mark.parametrize("left", ["snapshots/abc/README.md", "blobs/0123.incomplete"])
    def test_one_that_was_cut_off_before_it_had_a_config_is_noticed_too(
        self, hub: Hub, tmp_path: Path, left: str
    ) -> None:
        path = tmp_path / "models--sentence-transformers--clip-ViT-B-32" / left
        path.parent.mkdir(parents=True)
        path.write_text("half")
        assert hub.half_copy(CLIP) == "a half-downloaded copy was found in the local model cache"

    def test_a_plain_transformers_model_counts(self, tmp_path: Path) -> None:
        plain = {name.removeprefix("0_CLIPModel/"): data for name, data in CLIP_FILES.items() if "/" in name}
        with serving(FakeHub("openai/clip", plain)) as served:
            hub = Hub(endpoint=served.endpoint, cache_dir=tmp_path)
            assert hub.download("openai/clip") == hub.cached_folder("openai/clip")
            assert str(hub.cached_folder("openai/clip")).endswith(COMMIT)


class TestLocate:
    def test_what_is_cached_is_not_asked_for_again(self, served: FakeHub, hub: Hub) -> None:
        folder = hub.locate("clip-ViT-B-32")
        served.asked.clear()
        assert hub.locate("clip-ViT-B-32") == hub.locate(CLIP) == folder
        assert served.asked == []

    def test_a_path_is_never_asked_for(self, served: FakeHub, hub: Hub, tmp_path: Path) -> None:
        with pytest.raises(ModelUnavailable, match=r"There is no model folder .*Correct the setting"):
            hub.locate(str(tmp_path / "nothing"))
        with pytest.raises(ModelUnavailable, match=r"lacks config.json, .* Copy the whole folder again"):
            hub.locate(str(tmp_path))
        assert served.asked == []


class TestNames:
    def test_a_short_name_is_a_repository_of_sentence_transformers(self) -> None:
        assert repository_of("clip-ViT-B-32") == CLIP
        assert repository_of("openai/clip-vit-base-patch32") == "openai/clip-vit-base-patch32"

    @pytest.mark.parametrize("name", ["./model", "/models/mine", "~/model", "a/b/c", "../x", "model/"])
    def test_what_can_only_be_a_path_is_one_even_when_nothing_is_there(self, name: str) -> None:
        folder = folder_of(name)
        assert folder is not None
        assert folder.is_absolute()

    def test_a_folder_that_exists_wins_over_a_repository(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert folder_of("openai/clip") is None
        (tmp_path / "openai" / "clip").mkdir(parents=True)
        assert folder_of("openai/clip") == tmp_path / "openai" / "clip"
