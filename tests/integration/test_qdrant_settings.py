"""The settings `stores.qdrant_*` reach the server: what it is told, over its own gRPC."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from qdrant_client import grpc as words

from backend.domain.generation import FIRST
from backend.opening import places_of
from backend.settings import load_settings
from tests.factories import key, product
from tests.qdrant_over_grpc import Service, qdrant_over_grpc
from tests.unit.vectors.points import DIMENSION, SPACE, point, toward

pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant:UserWarning")


@pytest.fixture
def qdrant() -> Iterator[Service]:
    with qdrant_over_grpc() as service:
        yield service


def told(service: Service, monkeypatch: pytest.MonkeyPatch, folder: Path, **given: object) -> None:
    """Make a collection and write and read a point, with these settings in the environment."""
    monkeypatch.setenv("SHELFSIGHT_STORES__QDRANT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("SHELFSIGHT_STORES__QDRANT_GRPC_PORT", str(service.port))
    for name, value in given.items():
        monkeypatch.setenv(f"SHELFSIGHT_STORES__QDRANT_{name.upper()}", str(value))
    opened = places_of(load_settings(data_dir=folder)).open_or_create(FIRST, SPACE)
    opened.vectors.upsert([point(product(), toward(1.0))])
    assert len(opened.vectors.vectors_of(key())) == 1
    opened.vectors.close()


def created(service: Service) -> words.CreateCollection:
    (creation,) = [request for request in service.collections.asked if isinstance(request, words.CreateCollection)]
    return creation


def test_the_layout_is_told(qdrant: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told(
        qdrant, monkeypatch, tmp_path, collection="mine", shards=4, replicas=3, write_replicas=2,
        vectors_on_disk="true", codes="turbo4", graph_links=32, graph_candidates=300, exact_below=5_000,
    )  # fmt: skip
    made = created(qdrant)
    assert (made.collection_name, made.shard_number, made.replication_factor) == ("mine", 4, 3)
    assert made.write_consistency_factor == 2
    assert made.vectors_config.params_map.map["picture"].on_disk
    assert made.quantization_config.HasField("turboquant")
    graph = made.hnsw_config
    assert (graph.payload_m, graph.ef_construct) == (32, 300)
    assert graph.full_scan_threshold == 5_000 * DIMENSION * 4 // 1024


@pytest.mark.parametrize(("replicas", "meant"), [("all", "type"), ("2", "factor"), (None, "factor")])
def test_how_copies_agree_is_told(
    qdrant: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, replicas: str | None, meant: str
) -> None:
    told(
        qdrant,
        monkeypatch,
        tmp_path,
        write_ordering="medium",
        **({} if replicas is None else {"read_replicas": replicas}),
    )
    *_, written, read = qdrant.points.asked
    assert written.ordering.type == words.WriteOrderingType.Medium
    assert read.read_consistency.WhichOneof("value") == meant
    assert read.read_consistency.factor == {"2": 2, None: 1}.get(replicas, 0)


def test_a_server_is_told_nothing_it_was_not_asked(
    qdrant: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told(qdrant, monkeypatch, tmp_path)
    made = created(qdrant)
    assert (made.replication_factor, made.write_consistency_factor) == (1, 1)
    assert not made.HasField("shard_number")
    assert made.quantization_config.HasField("scalar")
