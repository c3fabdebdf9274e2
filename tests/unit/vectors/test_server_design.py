"""How a collection is laid out, as the server is told in its own messages."""

from collections.abc import Iterator
from typing import Any

import pytest
from qdrant_client import grpc as words

from backend.domain.filters import Filter
from backend.vectors.deepening import GRAPH_TIERS
from backend.vectors.payload import FLOAT_FIELDS, INTEGER_FIELDS, KEYWORD_FIELDS, TEXT_FIELDS
from backend.vectors.server import Server, connect
from backend.vectors.server_design import Design
from backend.vectors.server_search import NARROWEST_WALK
from backend.vectors.server_store import ServerStore
from tests.factories import key, product
from tests.qdrant_over_grpc import Service, qdrant_over_grpc
from tests.unit.vectors.points import DIMENSION, SPACE, point, tombstone, toward

pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant:UserWarning"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact:UserWarning"),
]

NORTH = toward(1.0)


@pytest.fixture
def qdrant() -> Iterator[Service]:
    with qdrant_over_grpc() as service:
        yield service


def at(service: Service, **agreement: Any) -> Server:
    return Server(connect("http://127.0.0.1:1", grpc_port=service.port), **agreement)


def told(service: Service, design: Design | None = None) -> words.CreateCollection:
    """What the server is told when a collection is made."""
    server = at(service)
    ServerStore.create(server, "products", SPACE, design)
    server.close()
    (creation,) = [request for request in service.collections.asked if isinstance(request, words.CreateCollection)]
    return creation


def test_there_is_one_graph_a_merchant_and_none_over_all(qdrant: Service) -> None:
    graph = told(qdrant, Design(links=24, build_candidates=200)).hnsw_config
    assert (graph.m, graph.payload_m, graph.ef_construct) == (0, 24, 200)


def test_what_a_small_filter_leaves_is_compared_whole(qdrant: Service) -> None:
    # in kilobytes of vectors, as the server counts
    assert told(qdrant, Design(exact_below=3_000)).hnsw_config.full_scan_threshold == 3_000 * DIMENSION * 4 // 1024


def test_copies_and_parts_are_as_they_were_asked_for(qdrant: Service) -> None:
    made = told(qdrant, Design(shards=6, replicas=3, write_replicas=2))
    assert (made.shard_number, made.replication_factor, made.write_consistency_factor) == (6, 3, 2)


def test_the_number_of_parts_is_the_servers_choice_unless_it_is_asked_for(qdrant: Service) -> None:
    assert not told(qdrant).HasField("shard_number")


@pytest.mark.parametrize("codes", ["int8", "turbo4", "none"])
def test_codes_stay_in_memory_wherever_the_vectors_are(qdrant: Service, codes: Any) -> None:
    made = told(qdrant, Design(codes=codes, vectors_on_disk=True))
    assert made.vectors_config.params_map.map["picture"].on_disk
    match codes:
        case "int8":
            assert made.quantization_config.scalar.always_ram
            assert made.quantization_config.scalar.type == words.QuantizationType.Int8
        case "turbo4":
            assert made.quantization_config.turboquant.always_ram
            assert made.quantization_config.turboquant.bits == words.TurboQuantBitSize.Bits4
        case "none":
            assert not made.HasField("quantization_config")


def test_every_field_is_indexed_before_any_point_and_linked_only_if_searches_filter_by_it(qdrant: Service) -> None:
    server = at(qdrant)
    ServerStore.create(server, "products", SPACE).upsert([point(product(), NORTH)])
    server.close()
    *indexed, upserted = qdrant.points.asked
    assert isinstance(upserted, words.UpdateBatchPoints)
    assert {each.field_name for each in indexed} == {*KEYWORD_FIELDS, *INTEGER_FIELDS, *FLOAT_FIELDS, *TEXT_FIELDS}
    linked = {each.field_name for each in indexed if _parameters(each).enable_hnsw or not _set(each, "enable_hnsw")}
    assert linked == {
        "merchant", "categories", "brand", "currency", "attribute_terms", "in_stock", "price", "added_at"
    }  # fmt: skip
    assert [each.field_name for each in indexed if _set(each, "is_tenant")] == ["merchant"]


def test_copies_agree_as_they_were_asked_to(qdrant: Service) -> None:
    server = at(qdrant, read_replicas="majority", write_ordering="strong")
    store = ServerStore.create(server, "products", SPACE)
    indexes = len(qdrant.points.asked)
    of = product()
    store.upsert([point(of, NORTH)])
    store.set_facts(of.key, {"version": 2})
    store.nearest("shop", NORTH, Filter(), limit=1)
    store.vectors_of(key())
    store.vectors_by_content(["a hash"])
    store.bury([tombstone(of, version=3)])
    asked = qdrant.points.asked[indexes:]
    writes = [request for request in asked if isinstance(request, words.UpdateBatchPoints | words.SetPayloadPoints)]
    reads = [request for request in asked if request not in writes]
    assert {request.ordering.type for request in writes} == {words.WriteOrderingType.Strong}
    assert {request.read_consistency.type for request in reads} == {words.ReadConsistencyType.Majority}
    assert (len(writes), len(reads)) == (3, 4)
    server.close()


@pytest.mark.parametrize(("replicas", "number"), [(1, 1), (2, 2)])
def test_so_many_copies_may_have_to_agree(qdrant: Service, replicas: int, number: int) -> None:
    server = at(qdrant, read_replicas=replicas)
    ServerStore.create(server, "products", SPACE).vectors_of(key())
    assert qdrant.points.asked[-1].read_consistency.factor == number
    server.close()


def test_candidates_by_codes_are_ordered_by_whole_vectors(qdrant: Service) -> None:
    server = at(qdrant)
    store = ServerStore.create(server, "products", SPACE)
    store.upsert([point(product(), NORTH)])
    store.nearest("shop", NORTH, Filter(), limit=24)
    query = next(request for request in qdrant.points.asked if isinstance(request, words.QueryPoints))
    assert query.params.quantization.rescore
    assert query.limit * query.params.quantization.oversampling == GRAPH_TIERS[0].candidates
    assert query.params.hnsw_ef == NARROWEST_WALK
    store.nearest("shop", NORTH, Filter(), limit=24, exact=True)
    exact = next(request for request in reversed(qdrant.points.asked) if isinstance(request, words.QueryPoints))
    assert exact.params.exact
    assert exact.params.quantization.ignore
    server.close()


def _parameters(request: words.CreateFieldIndexCollection) -> Any:
    return getattr(request.field_index_params, request.field_index_params.WhichOneof("index_params"))


def _set(request: words.CreateFieldIndexCollection, name: str) -> bool:
    fields = _parameters(request).DESCRIPTOR.fields_by_name
    return name in fields and _parameters(request).HasField(name)
