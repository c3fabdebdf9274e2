import socket
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from backend.embedding.packaged.encoder import PackagedEncoder


@dataclass
class ClosedNetwork:
    """Refuses every connection and every look-up of a name, and remembers who tried."""

    attempts: list[object] = field(default_factory=list)

    def refuse(self, *args: object, **_: object) -> None:
        self.attempts.append(args)
        raise ConnectionRefusedError("the network is closed in this test")


@pytest.fixture
def closed_network(monkeypatch: pytest.MonkeyPatch) -> ClosedNetwork:
    network = ClosedNetwork()
    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, network.refuse)
    for name in ("create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, network.refuse)
    return network


@pytest.fixture(scope="session")
def encoder_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("packaged")


@pytest.fixture(scope="session")
def encoder(encoder_cache: Path) -> PackagedEncoder:
    """One encoder for the whole session, without a warm-up: loading takes seconds."""
    return PackagedEncoder(encoder_cache)


@pytest.fixture(scope="session")
def exact_encoder(encoder_cache: Path) -> PackagedEncoder:
    """The same in float32 on every machine."""
    return PackagedEncoder(encoder_cache, exact=True)
