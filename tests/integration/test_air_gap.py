"""Without a network: what was pulled elsewhere is chosen, loaded and used, and the packaged encoder starts."""

import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.bootstrap import build
from backend.domain.query import Query
from backend.embedding.choice import load_chosen
from backend.embedding.folder import fingerprint_of
from backend.embedding.hub import Hub
from backend.embedding.pulling import pull
from backend.settings import Settings, StoreSettings
from tests.fakes.hub import FakeHub, serving
from tests.fakes.tiny_clip import save_tiny_clip
from tests.pictures import jpeg

pytestmark = pytest.mark.slow

NAME = "clip-ViT-B-32"


class Network:
    """Cut off when told: every use of it is then noted and fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.touched: list[str] = []

    def cut(self) -> None:
        connect = socket.socket.connect

        def refuse_connect(one: socket.socket, address: Any) -> None:
            if one.family == socket.AF_UNIX:  # between processes of this machine
                connect(one, address)
                return
            self.touched.append(f"connect {address}")
            raise OSError("there is no network")

        def refuse_lookup(host: Any, *_args: object, **_named: object) -> None:
            self.touched.append(f"look up {host}")
            raise socket.gaierror("there is no network")

        self._monkeypatch.setattr(socket.socket, "connect", refuse_connect)
        self._monkeypatch.setattr(socket, "getaddrinfo", refuse_lookup)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    return Network(monkeypatch)


def test_a_pulled_folder_is_chosen_loaded_and_embeds(network: Network, tmp_path: Path) -> None:
    clip = save_tiny_clip(tmp_path / "clip")
    files = {path.name: path.read_bytes() for path in clip.iterdir()}
    folder = tmp_path / "carried"
    with serving(FakeHub(f"sentence-transformers/{NAME}", files)) as served:
        pull(NAME, folder, Hub(endpoint=served.endpoint, cache_dir=tmp_path / "cache"))
    network.cut()
    how: dict[str, Any] = {"cache_dir": tmp_path / "model-cache", "device": "cpu", "threads": 1}
    embedder, choice = load_chosen(str(folder), None, **how)
    assert choice.model == str(folder)
    assert embedder.space.fingerprint == fingerprint_of(clip)
    vectors = [embedder.embed_images([np.zeros((48, 48, 3), np.uint8)]), embedder.embed_texts(["red shoe"])]
    assert all(np.isfinite(vector).all() for vector in vectors)
    again, _ = load_chosen("auto", embedder.space, **how)  # the next start, which goes by what the index says
    assert again.space == embedder.space
    assert network.touched == []


def test_the_packaged_encoder_is_started_and_searched_with(network: Network, tmp_path: Path) -> None:
    pytest.importorskip("backend.embedding.packaged.encoder", exc_type=ImportError)
    network.cut()
    stores = StoreSettings(broker_url="redis://127.0.0.1:1/0")  # asked only when something is uploaded
    built = build(Settings(data_dir=tmp_path, model="packaged", stores=stores))
    try:
        for query in (Query("shop", image=jpeg(seed=1)), Query("shop", text="red shoe")):
            assert built.services.search_products(query).matches == ()
    finally:
        built.services.close()
    assert network.touched == []
