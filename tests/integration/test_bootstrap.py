"""The house on its real parts, built from settings: both modes, without a server process."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from qdrant_client import QdrantClient

from backend.api import wsgi
from backend.bootstrap import Built, build
from backend.domain.query import Query
from backend.domain.work import Work
from backend.errors import Misconfigured, ModelMismatch
from backend.opening import stored_space
from backend.settings import Settings, StoreSettings
from backend.usecases.keep_pictures import Upload
from backend.vectors import server
from tests.factories import key, product
from tests.fakes.tiny_clip import save_tiny_clip
from tests.pictures import jpeg

pytestmark = pytest.mark.slow

NO_BROKER = "redis://127.0.0.1:1/0"  # nothing listens on port 1: uploads must be accepted all the same


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_tiny_clip(tmp_path_factory.mktemp("clip") / "tiny"))


@pytest.fixture
def qdrant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The client's own in-process mode in the place of a server; one client at a time may hold its folder."""
    folder = tmp_path / "qdrant"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that payload indexes have no effect here
        monkeypatch.setattr(server, "connect", lambda *_, **__: QdrantClient(path=str(folder)))
        yield folder


def embedded(folder: Path, model: str) -> Settings:
    return Settings(data_dir=folder, model=model, stores=StoreSettings(broker_url=NO_BROKER))


def on_servers(folder: Path, model: str) -> Settings:
    return Settings(
        data_dir=folder,
        model=model,
        stores=StoreSettings(broker_url=NO_BROKER, qdrant_url="http://qdrant.invalid:6333"),
    )


def upload_and_find(built: Built) -> None:
    services = built.services
    photo = jpeg(seed=4)
    services.upload_product(product("p1"), [Upload("a.jpg", lambda: photo)])
    assert services.reconcile_products(Work.UPLOADS) == 1
    [match] = services.search_products(Query("shop", image=photo)).matches
    assert (match.product_id, match.payload["price_exact"]) == ("p1", "59.90")
    services.patch_product(key("p1"), {"price": "1"})
    services.reconcile_products(Work.FACTS)
    [match] = services.search_products(Query("shop", image=photo)).matches
    assert match.payload["price_exact"] == "1"
    services.delete_product(key("p1"))
    services.reconcile_products(Work.FACTS)
    assert services.read_status("shop").points == 0


def test_the_embedded_mode_is_wired(tmp_path: Path, model: str) -> None:
    built = build(embedded(tmp_path, model))
    upload_and_find(built)
    assert built.services.read_status("shop").space.model == model
    built.services.close()


def test_the_server_mode_is_wired(tmp_path: Path, model: str, qdrant: Path) -> None:
    built = build(on_servers(tmp_path, model))
    upload_and_find(built)
    built.services.close()
    assert (qdrant / "collection" / "shelfsight").is_dir()


def test_an_index_keeps_its_encoder(tmp_path: Path, model: str) -> None:
    built = build(embedded(tmp_path, model))
    built.services.upload_product(product("p1"), [Upload("a.jpg", jpeg)])
    built.services.reconcile_products(Work.UPLOADS)
    built.services.close()
    other = str(save_tiny_clip(tmp_path / "other", seed=7))
    with pytest.raises(ModelMismatch, match="shelfsight reindex --model"):
        build(embedded(tmp_path, other))


def test_servers_without_a_shared_broker_are_refused(tmp_path: Path, model: str, qdrant: Path) -> None:
    settings = on_servers(tmp_path, model)
    lonely = settings.model_copy(update={"stores": settings.stores.model_copy(update={"broker_url": None})})
    with pytest.raises(Misconfigured, match="BROKER_URL"):
        build(lonely)


def test_gunicorn_refuses_an_embedded_index_and_an_open_door(
    tmp_path: Path, model: str, qdrant: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wsgi, "load_settings", lambda: embedded(tmp_path, model))
    with pytest.raises(Misconfigured, match="QDRANT_URL"):
        wsgi.application()
    monkeypatch.setattr(wsgi, "load_settings", lambda: on_servers(tmp_path, model))
    with pytest.raises(Misconfigured, match="PLATFORM_KEY"):
        wsgi.application()
    assert stored_space(on_servers(tmp_path, model)) is None  # refused before anything was made
