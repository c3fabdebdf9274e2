"""A Qdrant server as the stores ask it: over gRPC or REST, again when it may help, failing in our words."""

import logging
import math
import random
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from qdrant_client import QdrantClient, models

from backend import errors
from backend.vectors.server_errors import CLIENT_ERRORS, Verdict, verdict

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

LONGEST_PAUSE_SECONDS = 2.0
"""A server that wants a longer pause is not waited for: a search's caller would not wait either, and a worker gives its
products back and comes again."""

_CHANNEL = {
    # Without it the client's three channels share one connection.
    "grpc.use_local_subchannel_pool": 1,
    # Over all addresses of the server's name: a cluster's nodes behind one name share the work, and a call that failed
    # at one node is repeated at the next.
    "grpc.lb_policy_name": "round_robin",
    # Else the pause before the next try to connect grows to two minutes, while the server may be back long since.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1_000,
}


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a call is made, and the pause before the second time. It doubles with each, with jitter.

    Every call may be repeated: what is written is on condition of versions, so that a write that was done though its
    answer was lost finds itself done.
    """

    tries: int = 3
    pause_seconds: float = 0.2

    def pause(self, tried: int, judged: Verdict) -> float | None:
        """Seconds until the call is made again after `tried` times; None when it is not."""
        if not judged.passing or tried >= self.tries or judged.after_seconds > LONGEST_PAUSE_SECONDS:
            return None
        # Jitter: those who failed at one moment must not come back at one moment.
        drawn = self.pause_seconds * 2.0 ** (tried - 1) * random.uniform(0.5, 1.5)  # noqa: S311 - no secret
        return max(min(drawn, LONGEST_PAUSE_SECONDS), judged.after_seconds)


class Server:
    """A client of a Qdrant server. Safe to use from many threads.

    `read_replicas`: how many must agree on an answer. `write_ordering`: how a write is ordered among them.
    """

    def __init__(
        self,
        client: QdrantClient,
        patience: Patience | None = None,
        *,
        read_replicas: int | Literal["majority", "quorum", "all"] = 1,
        write_ordering: Literal["weak", "medium", "strong"] = "weak",
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._patience = patience or Patience()
        self.read_from: models.ReadConsistency = (
            read_replicas if isinstance(read_replicas, int) else models.ReadConsistencyType(read_replicas)
        )
        self.ordering = models.WriteOrdering(write_ordering)
        self._sleep = sleep
        self._closed = False

    def ask(self, call: Callable[[QdrantClient], Answer]) -> Answer:
        """What the call answers; it is made again when that may help.

        Raises `IndexUnavailable` when there is no answer, and `ShelfsightError` when the server refused the content.
        """
        tried = 0
        while True:
            self.usable()
            tried += 1
            try:
                return call(self._client)
            except CLIENT_ERRORS as err:
                judged = verdict(err)
                pause = self._patience.pause(tried, judged)
                if pause is None:
                    raise judged.error from err
                log.info("%s Again in %.2f s.", judged.error.detail, pause)
            self._sleep(pause)

    def usable(self) -> None:
        """Raise `IndexUnavailable` when it was closed."""
        if self._closed:
            raise errors.IndexUnavailable("The connection to the Qdrant server is closed.")

    def close(self) -> None:
        """Close the connections; nothing happens the second time."""
        if not self._closed:
            self._closed = True
            self._client.close()


def connect(
    url: str,
    *,
    api_key: str | None = None,
    ca_file: Path | None = None,
    grpc_port: int | None = None,
    timeout_seconds: float = 10.0,
) -> QdrantClient:
    """A client of the server at `url`, over gRPC when its port is given; connections are made by the first call.

    `timeout_seconds` bounds each call, rounded up to whole seconds. `ca_file` holds the authorities that may vouch for
    an https:// server, as PEM; None is the public ones. Raises `Misconfigured` when it cannot be read.
    """
    trusted: dict[str, Any] = {}
    channel: dict[str, Any] = dict(_CHANNEL)
    if ca_file is not None:
        channel["root_certificates"], trusted["verify"] = _authorities(ca_file)
    return QdrantClient(
        url=url,
        # As a header: given as `api_key`, every process would warn of http://, which a private network may well have.
        headers={"api-key": api_key} if api_key else None,
        prefer_grpc=grpc_port is not None,
        grpc_port=grpc_port or 6334,
        grpc_options=channel,
        timeout=math.ceil(timeout_seconds),
        # The client's own check would connect here, and warn instead of raising.
        check_compatibility=False,
        **trusted,
    )


def _authorities(file: Path) -> tuple[bytes, ssl.SSLContext]:
    try:
        return file.read_bytes(), ssl.create_default_context(cafile=str(file))
    except OSError as err:  # ssl.SSLError is one
        raise errors.Misconfigured(f"stores.qdrant_ca_file {file} cannot be used: {err}") from err
