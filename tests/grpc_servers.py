"""Real gRPC servers on loopback, and a service that answers as a test's script says."""

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from qdrant_client import grpc as words


@dataclass(frozen=True)
class Failure:
    """An answer that is none."""

    code: grpc.StatusCode
    details: str = "as the script says"
    retry_after: int | None = None


@dataclass
class Script(words.CollectionsServicer):
    """Answers `CollectionExists`: first by these failures (a number of seconds is a late answer), then well.

    `asked` has the metadata of every call.
    """

    answers: deque[Failure | float] = field(default_factory=deque)
    asked: list[dict[str, str]] = field(default_factory=list)

    def CollectionExists(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.asked.append({item.key: item.value for item in context.invocation_metadata()})
        answer = self.answers.popleft() if self.answers else 0.0
        if isinstance(answer, Failure):
            if answer.retry_after is not None:
                context.set_trailing_metadata([("retry-after", str(answer.retry_after))])
            context.abort(answer.code, answer.details)
        else:
            time.sleep(answer)
        return words.CollectionExistsResponse(result=words.CollectionExists(exists=True))


@contextmanager
def serving(
    *services: words.CollectionsServicer | words.PointsServicer,
    address: str = "127.0.0.1",
    port: int = 0,
    certificate: tuple[bytes, bytes] | None = None,
) -> Iterator[int]:
    """Serve them, with a (key, certificate) over TLS; gives the port."""
    server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
    for service in services:
        if isinstance(service, words.CollectionsServicer):
            words.add_CollectionsServicer_to_server(service, server)  # type: ignore[no-untyped-call] # generated
        else:
            words.add_PointsServicer_to_server(service, server)  # type: ignore[no-untyped-call] # generated
    if certificate is None:
        bound = server.add_insecure_port(f"{address}:{port}")
    else:
        bound = server.add_secure_port(f"{address}:{port}", grpc.ssl_server_credentials([certificate]))
    server.start()
    try:
        yield bound
    finally:
        server.stop(grace=None).wait(10)
