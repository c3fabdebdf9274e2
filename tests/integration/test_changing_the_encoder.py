"""The encoder is changed on a Qdrant server that several processes share: here the client's own local mode."""

import gc
import io
import time
import warnings
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from qdrant_client import QdrantClient
from rich.console import Console

from backend.bootstrap import Built, build
from backend.cli import reindex as change
from backend.domain.generation import IndexState
from backend.domain.payload import picture_payload, point_id, product_payload
from backend.domain.query import Query
from backend.domain.work import Work
from backend.errors import Misconfigured
from backend.opening import load_embedder, open_catalog, places_of, stored_space
from backend.ports import Embedder, Point
from backend.settings import Settings, StoreSettings
from backend.usecases.compare_indexes import Comparison
from backend.usecases.keep_pictures import Upload
from backend.vectors import server
from tests.factories import key, product
from tests.fakes.tiny_clip import save_tiny_clip
from tests.pictures import jpeg

pytestmark = pytest.mark.slow

NO_BROKER = "redis://127.0.0.1:1/0"
WISHES = change.Wishes(sample=20, golden=None, merchant="shop", switch=True, even_if_worse=True)


class Shared(QdrantClient):
    """One database in memory for all who connect: closing a connection leaves it alone."""

    def close(self, grpc_grace: float | None = None, **kwargs: Any) -> None:
        pass


@pytest.fixture
def qdrant(monkeypatch: pytest.MonkeyPatch) -> Iterator[QdrantClient]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that payload indexes have no effect here
        shared = Shared(":memory:")
        monkeypatch.setattr(server, "connect", lambda *_, **__: shared)
        yield shared


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("clips")
    return str(save_tiny_clip(folder / "first")), str(save_tiny_clip(folder / "second", seed=7))


def settings_of(folder: Path, model: str = "auto") -> Settings:
    stores = StoreSettings(broker_url=NO_BROKER, qdrant_url="http://qdrant.invalid:6333")
    return Settings(data_dir=folder, model=model, stores=stores)


def put(built: Built, product_id: str, seed: int) -> None:
    built.services.upload_product(product(product_id), [Upload("a.jpg", lambda: jpeg(seed=seed))])


def reindexed(folder: Path, model: str, monkeypatch: pytest.MonkeyPatch, wishes: change.Wishes = WISHES) -> str:
    told = io.StringIO()
    with monkeypatch.context() as patched:
        patched.setattr(time, "sleep", lambda _: None)  # for processes that load an encoder meanwhile
        change.reindex(settings_of(folder), model, Console(file=told, width=200), wishes)
    return told.getvalue()


def test_processes_go_over_one_by_one_and_nothing_is_lost_between(
    tmp_path: Path, models: tuple[str, str], qdrant: QdrantClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = models
    quick = build(settings_of(tmp_path, first))
    slow = build(settings_of(tmp_path))
    for number in range(5):
        put(quick, f"p{number}", number)
    assert quick.services.reconcile_products(Work.UPLOADS) == 5
    told = reindexed(tmp_path, second, monkeypatch)
    assert "compared by 5 questions" in told
    assert {it.name for it in qdrant.get_collections().collections} == {"shelfsight", "shelfsight-2"}
    space = stored_space(settings_of(tmp_path))
    assert space is not None
    assert space.model == second

    # Who has not gone over answers from the old index, and takes up no work.
    put(slow, "p5", 5)
    assert slow.services.reconcile_products(Work.UPLOADS) == 0
    assert slow.services.search_products(Query("shop", image=jpeg(seed=3))).matches[0].product_id == "p3"
    assert slow.services.search_products.space.model == first
    quick.follow_index()
    assert quick.services.reconcile_products(Work.UPLOADS) == 1
    [best, *_] = quick.services.search_products(Query("shop", image=jpeg(seed=5))).matches
    assert (best.product_id, round(best.score, 3)) == ("p5", 1.0)
    assert quick.services.search_products.space.model == second
    slow.follow_index()
    assert slow.services.search_products(Query("shop", image=jpeg(seed=5))).matches[0].product_id == "p5"

    # And back, with what was written meanwhile.
    slow.services.delete_product(key("p0"))
    assert slow.services.reconcile_products(Work.FACTS) == 1
    change.rollback(settings_of(tmp_path), Console(file=io.StringIO()))
    for built in (quick, slow):
        built.follow_index()
        assert built.services.search_products.space.model == first
        found = {it.product_id for it in built.services.search_products(Query("shop", image=jpeg(seed=5))).matches}
        assert found == {"p1", "p2", "p3", "p4", "p5"}
    for built in (quick, slow):
        built.services.close()


def test_the_former_encoder_is_let_go_of_after_the_change(
    tmp_path: Path, models: tuple[str, str], qdrant: QdrantClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = models
    built = build(settings_of(tmp_path, first))
    put(built, "p1", 1)
    built.services.reconcile_products(Work.UPLOADS)
    former = weakref.ref(built.services.reconcile_products.embed.embedder)
    assert former() is not None
    reindexed(tmp_path, second, monkeypatch)
    built.follow_index()
    until_gone(former)
    built.services.close()


def until_gone(former: weakref.ref[Embedder]) -> None:
    """Whoever closes the former index looks now and then whether its verbs are still used, and has one in hand then."""
    deadline = time.monotonic() + 20
    while former() is not None:
        assert time.monotonic() < deadline, "the former encoder is kept"
        time.sleep(0.02)
        gc.collect()


def test_the_command_holds_no_encoder_while_the_server_loads_it(
    tmp_path: Path, models: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = models
    settings = Settings(data_dir=tmp_path, stores=StoreSettings(broker_url=NO_BROKER))
    build(settings.model_copy(update={"model": first})).services.close()
    loaded, alive = list[weakref.ref[Embedder]](), list[bool]()

    def load(*arguments: Any) -> Any:
        embedder, choice = load_embedder(*arguments)
        loaded.append(weakref.ref(embedder))
        return embedder, choice

    def server_takes_it(*_: Any) -> bool:
        generations = open_catalog(settings).indexes.generations()
        if generations[-1].state is IndexState.READY:
            alive.extend(it() is not None for it in loaded)
        return generations[-1].state is IndexState.READY

    monkeypatch.setattr(change, "load_embedder", load)
    monkeypatch.setattr(change, "taken_over", server_takes_it)
    monkeypatch.setattr(change._Work, "_nobody_serves", lambda _: False)
    monkeypatch.setattr(change._Work, "refuses", lambda *_: False)
    assert change.reindex(settings, second, Console(file=io.StringIO()), WISHES)
    assert alive == [False]


def test_one_that_a_server_could_not_open_is_gone_on_with_by_the_same_command(
    tmp_path: Path, models: tuple[str, str]
) -> None:
    first, second = models
    settings = Settings(data_dir=tmp_path, stores=StoreSettings(broker_url=NO_BROKER))
    build(settings.model_copy(update={"model": first})).services.close()
    indexes, serving = open_catalog(settings).indexes, stored_space(settings)
    assert serving is not None
    number = indexes.begin(load_embedder(settings, second, None)[0].space, serving).number
    indexes.announce(number)
    indexes.withdraw(number, "the server ended while it opened it")
    assert change.reindex(settings, second, Console(file=io.StringIO()), WISHES)
    assert [it.state for it in indexes.generations()] == [IndexState.KEPT, IndexState.SERVING]


def test_what_lies_under_the_number_of_a_new_index_is_not_taken_into_it(
    tmp_path: Path, models: tuple[str, str], qdrant: QdrantClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = models
    built = build(settings_of(tmp_path, first))
    put(built, "p1", 1)
    built.services.reconcile_products(Work.UPLOADS)
    embedder, _ = load_embedder(settings_of(tmp_path), second, None)
    left = places_of(settings_of(tmp_path)).open_or_create(2, embedder.space).vectors
    stray, content = key("of-another-life"), "0" * 64
    facts = product_payload(product(stray.product_id), 1, None) | picture_payload(content)
    left.upsert([Point(point_id(stray, content), embedder.embed_texts(["red"])[0], facts)])
    left.close()
    reindexed(tmp_path, second, monkeypatch)
    built.follow_index()
    assert built.services.read_status("shop").points == 1
    built.services.close()


def test_the_third_index_takes_the_place_of_the_first(
    tmp_path: Path, models: tuple[str, str], qdrant: QdrantClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = models
    built = build(settings_of(tmp_path, first))
    put(built, "p1", 1)
    built.services.reconcile_products(Work.UPLOADS)
    reindexed(tmp_path, second, monkeypatch)
    reindexed(tmp_path, first, monkeypatch)
    assert {it.name for it in qdrant.get_collections().collections} == {"shelfsight-2", "shelfsight-3"}
    built.follow_index()
    assert [it.state for it in built.services.read_index()] == [IndexState.KEPT, IndexState.SERVING]
    built.services.close()


def test_one_that_is_only_built_and_compared_does_not_serve_and_is_gone_on_with_or_given_up(
    tmp_path: Path, models: tuple[str, str], qdrant: QdrantClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = models
    built = build(settings_of(tmp_path, first))
    put(built, "p1", 1)
    put(built, "p2", 2)
    built.services.reconcile_products(Work.UPLOADS)
    looking = change.Wishes(sample=20, golden=None, merchant="shop", switch=False, even_if_worse=False)
    assert "does not serve yet" in reindexed(tmp_path, second, monkeypatch, looking)
    [serving, waiting] = built.services.read_index()
    assert (serving.state, waiting.state) == (IndexState.SERVING, IndexState.BUILDING)
    assert waiting.comparison["queries"] == 2
    assert "generation 2, 2 products, going on" in reindexed(tmp_path, second, monkeypatch, looking)
    # Another encoder gives it up.
    assert "generation 3" in reindexed(tmp_path, first, monkeypatch, looking)
    assert {it.name for it in qdrant.get_collections().collections} == {"shelfsight", "shelfsight-3"}
    built.services.close()


def test_an_index_that_finds_less_does_not_serve_unless_told_to(
    tmp_path: Path, models: tuple[str, str], qdrant: QdrantClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = models
    built = build(settings_of(tmp_path, first))
    for number in range(3):
        put(built, f"p{number}", number)
    built.services.reconcile_products(Work.UPLOADS)
    compared = Comparison(queries=200, overlap=0.1, labelled=200, before=0.9, after=0.5)
    monkeypatch.setattr(change, "compare_indexes", lambda *_: compared)
    careful = change.Wishes(sample=20, golden=None, merchant="shop", switch=True, even_if_worse=False)
    told = reindexed(tmp_path, second, monkeypatch, careful)
    assert "0.900 before, 0.500 now" in told
    assert "the old index goes on" in told
    assert built.services.read_index()[0].state is IndexState.SERVING
    assert "serves." in reindexed(tmp_path, second, monkeypatch, WISHES)
    built.services.close()


def test_questions_of_ones_own_are_asked_and_a_wrong_line_is_named(
    tmp_path: Path, models: tuple[str, str], qdrant: QdrantClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = models
    built = build(settings_of(tmp_path, first))
    for number in range(3):
        put(built, f"p{number}", number)
    built.services.reconcile_products(Work.UPLOADS)
    golden = tmp_path / "golden.jsonl"
    golden.write_text('{"text": "red dress", "category": "clothing/dress"}\n\n{"product_id": "p1"}\n')
    asked = change.Wishes(sample=20, golden=golden, merchant="shop", switch=False, even_if_worse=False)
    told = reindexed(tmp_path, second, monkeypatch, asked)
    assert "compared by 2 questions" in told
    assert "precision at ten, 1 questions" in told
    for line in ('{"text": "a", "product_id": "b"}', '{"category": "x"}', "[]", "{", '{"text": 3}', '{"word": "a"}'):
        golden.write_text('{"text": "red"}\n' + line)
        with pytest.raises(Misconfigured, match="line 2"):
            reindexed(tmp_path, second, monkeypatch, asked)
    built.services.close()
