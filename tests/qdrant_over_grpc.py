"""Qdrant's gRPC service on loopback, in front of the client's in-process mode.

It stands in for a server where there is none: what the stores ask goes over a real wire in Qdrant's own messages, and
comes back so. What a server does beyond that (graphs, replicas, its own checks) it does not show.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any

import grpc
from qdrant_client import QdrantClient, models
from qdrant_client import grpc as words
from qdrant_client.conversions.conversion import GrpcToRest, RestToGrpc

from tests.grpc_servers import serving


def answered(handler: Callable[[Any, Any], Any]) -> Callable[[Any, Any, Any], Any]:
    """One call at a time, as the in-process mode needs it; what it refuses is a refusal over the wire."""

    @wraps(handler)
    def handle(self: Any, request: Any, context: grpc.ServicerContext) -> Any:
        self.asked.append(request)
        try:
            with self.lock:
                return handler(self, request)
        except ValueError as err:
            not_found = "not found" in str(err)
            context.abort(grpc.StatusCode.NOT_FOUND if not_found else grpc.StatusCode.INVALID_ARGUMENT, str(err))

    return handle


class Collections(words.CollectionsServicer):
    def __init__(self, client: QdrantClient, lock: threading.RLock) -> None:
        self.client, self.lock = client, lock
        self.asked: list[Any] = []

    @answered
    def CollectionExists(self, request: Any) -> Any:
        exists = self.client.collection_exists(request.collection_name)
        return words.CollectionExistsResponse(result=words.CollectionExists(exists=exists))

    @answered
    def Get(self, request: Any) -> Any:
        info = self.client.get_collection(request.collection_name)
        return words.GetCollectionInfoResponse(result=RestToGrpc.convert_collection_info(info))

    @answered
    def Create(self, request: Any) -> Any:
        done = self.client.create_collection(
            request.collection_name,
            vectors_config=GrpcToRest.convert_vectors_config(request.vectors_config),
            metadata=GrpcToRest.convert_payload(request.metadata),
        )
        return words.CollectionOperationResponse(result=done)

    @answered
    def Delete(self, request: Any) -> Any:
        return words.CollectionOperationResponse(result=self.client.delete_collection(request.collection_name))


class Points(words.PointsServicer):
    def __init__(self, client: QdrantClient, lock: threading.RLock) -> None:
        self.client, self.lock = client, lock
        self.asked: list[Any] = []

    @answered
    def CreateFieldIndex(self, request: Any) -> Any:
        schema = GrpcToRest.convert_payload_schema_params(request.field_index_params)
        return _done(self.client.create_payload_index(request.collection_name, request.field_name, schema))

    @answered
    def UpdateBatch(self, request: Any) -> Any:
        operations = [GrpcToRest.convert_points_update_operation(operation) for operation in request.operations]
        results = self.client.batch_update_points(request.collection_name, operations)
        return words.UpdateBatchResponse(result=[RestToGrpc.convert_update_result(result) for result in results])

    @answered
    def SetPayload(self, request: Any) -> Any:
        payload, points = GrpcToRest.convert_payload(request.payload), _selected(request.points_selector)
        return _done(self.client.set_payload(request.collection_name, payload, points))

    @answered
    def Delete(self, request: Any) -> Any:
        return _done(self.client.delete(request.collection_name, _selected(request.points)))

    @answered
    def Query(self, request: Any) -> Any:
        return words.QueryResponse(result=self._points(request))

    @answered
    def QueryBatch(self, request: Any) -> Any:
        return words.QueryBatchResponse(
            result=[words.BatchResult(result=self._points(query)) for query in request.query_points]
        )

    @answered
    def Scroll(self, request: Any) -> Any:
        records, after = self.client.scroll(
            request.collection_name,
            scroll_filter=_filter(request),
            limit=request.limit,
            order_by=GrpcToRest.convert_order_by(request.order_by) if request.HasField("order_by") else None,
            offset=GrpcToRest.convert_point_id(request.offset) if request.HasField("offset") else None,
            with_payload=GrpcToRest.convert_with_payload_interface(request.with_payload),
            with_vectors=GrpcToRest.convert_with_vectors_selector(request.with_vectors),
        )
        following = None if after is None else RestToGrpc.convert_extended_point_id(after)
        return words.ScrollResponse(result=[_retrieved(record) for record in records], next_page_offset=following)

    @answered
    def Get(self, request: Any) -> Any:
        records = self.client.retrieve(
            request.collection_name,
            [GrpcToRest.convert_point_id(point_id) for point_id in request.ids],
            with_payload=GrpcToRest.convert_with_payload_interface(request.with_payload),
            with_vectors=GrpcToRest.convert_with_vectors_selector(request.with_vectors),
        )
        return words.GetResponse(result=[_retrieved(record) for record in records])

    @answered
    def Count(self, request: Any) -> Any:
        counted = self.client.count(request.collection_name, _filter(request), exact=request.exact)
        return words.CountResponse(result=words.CountResult(count=counted.count))

    @answered
    def Facet(self, request: Any) -> Any:
        found = self.client.facet(
            request.collection_name, request.key, _filter(request), limit=request.limit, exact=request.exact
        )
        return words.FacetResponse(hits=[RestToGrpc.convert_facet_value_hit(hit) for hit in found.hits])

    def _points(self, request: Any) -> list[Any]:
        asked = GrpcToRest.convert_query_points(request)
        found = self.client.query_points(
            request.collection_name,
            query=asked.query,
            using=asked.using,
            query_filter=asked.filter,
            search_params=asked.params,
            limit=asked.limit or 10,
            with_payload=bool(asked.with_payload) if isinstance(asked.with_payload, bool) else asked.with_payload or [],
            with_vectors=asked.with_vector or False,
        )
        return [RestToGrpc.convert_scored_point(point) for point in found.points]


@dataclass(frozen=True)
class Service:
    """Where it listens, and its two halves, each with every request of its own in `asked`."""

    port: int
    collections: Collections
    points: Points


@contextmanager
def qdrant_over_grpc() -> Iterator[Service]:
    """Serve an empty Qdrant."""
    client, lock = QdrantClient(":memory:", force_disable_check_same_thread=True), threading.RLock()
    collections, points = Collections(client, lock), Points(client, lock)
    with serving(collections, points) as port:
        yield Service(port, collections, points)
    client.close()


def _filter(request: Any) -> models.Filter | None:
    return GrpcToRest.convert_filter(request.filter) if request.HasField("filter") else None


def _selected(selector: Any) -> models.Filter | list[models.ExtendedPointId]:
    selected = GrpcToRest.convert_points_selector(selector)
    return selected.filter if isinstance(selected, models.FilterSelector) else selected.points


def _retrieved(record: models.Record) -> Any:
    return RestToGrpc.convert_retrieved_point(record)


def _done(result: models.UpdateResult) -> Any:
    return words.PointsOperationResponse(result=RestToGrpc.convert_update_result(result))
