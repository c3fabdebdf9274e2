"""Every kind of `ports.VectorStore`, for the tests of each: the fake, the embedded engine, and the server's adapter.

The adapter is tried on the client's in-process mode, on that mode behind a real gRPC server, and on a Qdrant server,
over both transports, where SHELFSIGHT_TEST_QDRANT_URL names one; its collections are made and removed here.
"""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from backend.ports import VectorStore
from tests.fakes.vector_store import FakeVectorStore
from tests.unit.vectors.folders import folder_in_memory
from tests.unit.vectors.points import SPACE

FAKE, EDGE, CLIENT, WIRE = "fake", "edge", "client in process", "client in process behind gRPC"
REST_SERVER, GRPC_SERVER = "server over REST", "server over gRPC"
NAMES = (FAKE, EDGE, CLIENT, WIRE, REST_SERVER, GRPC_SERVER)
SERVER_URL = os.environ.get("SHELFSIGHT_TEST_QDRANT_URL", "")
SERVER_GRPC_PORT = 6334

needs_server = pytest.mark.skipif(not SERVER_URL, reason="SHELFSIGHT_TEST_QDRANT_URL names no Qdrant server")
KINDS = [
    FAKE,
    EDGE,
    CLIENT,
    pytest.param(WIRE, marks=pytest.mark.slow),
    pytest.param(REST_SERVER, marks=needs_server),
    pytest.param(GRPC_SERVER, marks=needs_server),
]


@contextmanager
def opened(kind: str, folder: Path) -> Iterator[VectorStore]:
    """A new, empty store."""
    match kind:
        case "fake":
            yield FakeVectorStore(SPACE)
        case "edge":
            yield from _edge(folder)
        case "client in process":
            yield from _client_in_process()
        case "client in process behind gRPC":
            yield from _client_behind_grpc()
        case _:
            yield from _server(SERVER_GRPC_PORT if kind == GRPC_SERVER else None)


def _edge(folder: Path) -> Iterator[VectorStore]:
    pytest.importorskip("qdrant_edge")
    from backend.vectors.edge_store import EdgeStore

    with folder_in_memory(folder) as place:
        store = EdgeStore.create(place / "index", SPACE)
        yield store
        store.close()


def _client_in_process() -> Iterator[VectorStore]:
    client = pytest.importorskip("qdrant_client").QdrantClient(":memory:")
    from backend.vectors.server import Server
    from backend.vectors.server_store import ServerStore

    store = ServerStore.open_or_create(Server(client), "products", SPACE)
    yield store
    store.close()


def _client_behind_grpc() -> Iterator[VectorStore]:
    pytest.importorskip("qdrant_client")
    from backend.vectors.server import Server, connect
    from backend.vectors.server_store import ServerStore
    from tests.qdrant_over_grpc import qdrant_over_grpc

    with qdrant_over_grpc() as service:
        server = Server(connect("http://127.0.0.1:1", grpc_port=service.port))
        store = ServerStore.open_or_create(server, "products", SPACE)
        yield store
        store.close()


def _server(grpc_port: int | None) -> Iterator[VectorStore]:
    from backend.vectors.server import Server, connect
    from backend.vectors.server_store import ServerStore

    collection = f"shelfsight-test-{uuid.uuid4().hex}"
    store = ServerStore.open_or_create(Server(connect(SERVER_URL, grpc_port=grpc_port)), collection, SPACE)
    yield store
    ServerStore.remove(Server(connect(SERVER_URL, grpc_port=grpc_port)), collection)
    store.close()
