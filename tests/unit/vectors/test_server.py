"""Asking a Qdrant server, over both of its transports: real servers on loopback that answer as each test wants."""

import json
import shutil
import socket
import ssl
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from qdrant_client import QdrantClient

from backend.errors import IndexUnavailable, Misconfigured, ShelfsightError
from backend.vectors.server import LONGEST_PAUSE_SECONDS, Patience, Server, connect
from tests.grpc_servers import Failure, Script, serving
from tests.hosts import Behaviour, Host, first, late, resetting, status

EXISTS = "/collections/products/exists"
WELL = status(200, {"Content-Type": "application/json"}, json.dumps({"result": {"exists": True}, "time": 0.0}).encode())
KEY = "a key to the index"


@dataclass
class Asked:
    """A server, what it was asked, and the pauses between."""

    server: Server
    requests: Callable[[], int]
    pauses: list[float]

    def exists(self) -> bool:
        return self.server.ask(lambda client: client.collection_exists("products"))


@contextmanager
def over_rest(behaviour: Behaviour, *, timeout_seconds: float = 5.0, tries: int = 3) -> Iterator[Asked]:
    with Host({EXISTS: behaviour}) as host:
        pauses: list[float] = []
        client = connect(host.url(""), timeout_seconds=timeout_seconds)
        server = Server(client, Patience(tries), sleep=pauses.append)
        yield Asked(server, lambda: host.requests[EXISTS], pauses)
        server.close()


@contextmanager
def over_grpc(script: Script, *, timeout_seconds: float = 5.0, tries: int = 3) -> Iterator[Asked]:
    with serving(script) as port:
        pauses: list[float] = []
        client = connect("http://127.0.0.1:1", grpc_port=port, timeout_seconds=timeout_seconds)
        server = Server(client, Patience(tries), sleep=pauses.append)
        yield Asked(server, lambda: len(script.asked), pauses)
        server.close()


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_what_may_pass_is_asked_again_over_rest(code: int) -> None:
    with over_rest(first(2, status(code), WELL)) as asked:
        assert asked.exists()
        assert asked.requests() == 3
        assert 0.1 <= asked.pauses[0] <= 0.3
        assert 0.2 <= asked.pauses[1] <= 0.6


@pytest.mark.parametrize("name", ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "INTERNAL", "UNKNOWN", "ABORTED"])
def test_what_may_pass_is_asked_again_over_grpc(name: str) -> None:
    with over_grpc(Script(deque([Failure(grpc.StatusCode[name])] * 2))) as asked:
        assert asked.exists()
        assert asked.requests() == 3
        assert 0.1 <= asked.pauses[0] <= 0.3
        assert 0.2 <= asked.pauses[1] <= 0.6


def test_a_connection_that_breaks_is_made_again() -> None:
    with over_rest(first(2, resetting(), WELL)) as asked:
        assert asked.exists()
        assert asked.requests() == 3


def test_what_does_not_pass_is_an_outage_in_the_end() -> None:
    with over_rest(status(503)) as rest, pytest.raises(IndexUnavailable, match="503"):
        rest.exists()
    with (
        over_grpc(Script(deque([Failure(grpc.StatusCode.UNAVAILABLE, "no leader")] * 9))) as called,
        pytest.raises(IndexUnavailable, match="UNAVAILABLE: no leader"),
    ):
        called.exists()
    assert (rest.requests(), called.requests()) == (3, 3)


@pytest.mark.parametrize(
    ("code", "ours"),
    [
        (400, ShelfsightError), (413, ShelfsightError), (422, ShelfsightError), (401, IndexUnavailable),
        (403, IndexUnavailable), (408, IndexUnavailable), (409, IndexUnavailable), (507, IndexUnavailable),
    ],
)  # fmt: skip
def test_what_will_not_pass_is_asked_once_over_rest(code: int, ours: type[ShelfsightError]) -> None:
    with over_rest(status(code)) as asked:
        with pytest.raises(ShelfsightError, match=str(code)) as caught:
            asked.exists()
        assert type(caught.value) is ours
        assert (asked.requests(), asked.pauses) == (1, [])


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("INVALID_ARGUMENT", ShelfsightError), ("OUT_OF_RANGE", ShelfsightError), ("NOT_FOUND", IndexUnavailable),
        ("UNAUTHENTICATED", IndexUnavailable), ("PERMISSION_DENIED", IndexUnavailable),
        ("ALREADY_EXISTS", IndexUnavailable), ("DEADLINE_EXCEEDED", IndexUnavailable),
        ("FAILED_PRECONDITION", IndexUnavailable), ("UNIMPLEMENTED", IndexUnavailable),
    ],
)  # fmt: skip
def test_what_will_not_pass_is_asked_once_over_grpc(name: str, ours: type[ShelfsightError]) -> None:
    with over_grpc(Script(deque([Failure(grpc.StatusCode[name])]))) as asked:
        with pytest.raises(ShelfsightError, match=name) as caught:
            asked.exists()
        assert type(caught.value) is ours
        assert (asked.requests(), asked.pauses) == (1, [])


def test_the_servers_own_word_on_when_to_come_again_is_kept() -> None:
    with over_rest(first(1, status(429, {"Retry-After": "1"}), WELL)) as rest:
        assert rest.exists()
    script = Script(deque([Failure(grpc.StatusCode.RESOURCE_EXHAUSTED, retry_after=1)]))
    with over_grpc(script) as called:
        assert called.exists()
    assert (rest.pauses, called.pauses) == ([1.0], [1.0])


def test_a_pause_longer_than_anybody_waits_is_an_outage_at_once() -> None:
    with over_rest(status(429, {"Retry-After": "60"})) as rest, pytest.raises(IndexUnavailable, match="busy"):
        rest.exists()
    script = Script(deque([Failure(grpc.StatusCode.RESOURCE_EXHAUSTED, retry_after=60)]))
    with over_grpc(script) as called, pytest.raises(IndexUnavailable, match="busy"):
        called.exists()
    assert (rest.requests(), called.requests()) == (1, 1)


def test_pauses_stay_short_however_often_is_tried() -> None:
    with over_rest(status(503), tries=9) as asked:
        with pytest.raises(IndexUnavailable):
            asked.exists()
        assert asked.requests() == 9
        assert max(asked.pauses) == LONGEST_PAUSE_SECONDS


def test_an_answer_that_does_not_come_is_waited_for_once_and_so_long() -> None:
    with over_rest(late(3.0, WELL), timeout_seconds=0.5) as rest:
        waited = seconds_of(rest)
    with over_grpc(Script(deque([3.0])), timeout_seconds=0.5) as called:
        waited_too = seconds_of(called)
    assert (rest.requests(), called.requests()) == (1, 1)
    for seconds in (waited, waited_too):  # whole seconds are what the client takes
        assert 0.9 <= seconds < 2.5


def seconds_of(asked: Asked) -> float:
    began = time.monotonic()
    with pytest.raises(IndexUnavailable):
        asked.exists()
    return time.monotonic() - began


def test_a_server_that_is_not_there_is_an_outage_within_a_moment() -> None:
    with socket.socket() as reserved:  # bound and not listening: connections are refused
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        for grpc_port in (None, port):
            pauses: list[float] = []
            server = Server(connect(f"http://127.0.0.1:{port}", grpc_port=grpc_port), sleep=pauses.append)
            began = time.monotonic()
            with pytest.raises(IndexUnavailable):
                server.ask(lambda client: client.collection_exists("products"))
            assert time.monotonic() - began < 5
            assert len(pauses) == 2
            server.close()


def test_a_server_that_comes_back_is_found_again_over_grpc() -> None:
    script = Script()
    with serving(script) as port:
        server = Server(connect("http://127.0.0.1:1", grpc_port=port))
        assert server.ask(lambda client: client.collection_exists("products"))
    outage = time.monotonic() + 4.0
    while time.monotonic() < outage:  # long enough for pauses that double to have grown
        with pytest.raises(IndexUnavailable):
            server.ask(lambda client: client.collection_exists("products"))
    with serving(script, port=port):
        began = time.monotonic()
        while not _answers(server):
            assert time.monotonic() - began < 3
    server.close()


def _answers(server: Server) -> bool:
    try:
        return server.ask(lambda client: client.collection_exists("products"))
    except IndexUnavailable:
        return False


def test_all_addresses_of_a_name_share_the_calls_and_one_that_is_gone_is_not_missed() -> None:
    fourth, sixth = Script(), Script()
    with serving(fourth) as port, serving(sixth, address="[::1]", port=port):
        server = Server(connect("http://localhost:1", grpc_port=port))
        for _ in range(20):
            server.ask(lambda client: client.collection_exists("products"))
        assert min(len(fourth.asked), len(sixth.asked)) > 0
    with serving(sixth, address="[::1]", port=port):
        assert server.ask(lambda client: client.collection_exists("products"))
    server.close()


def test_nothing_is_asked_of_a_closed_server_and_it_may_be_closed_again() -> None:
    with over_rest(WELL) as asked:
        asked.server.close()
        asked.server.close()
        with pytest.raises(IndexUnavailable, match="closed"):
            asked.exists()
        assert asked.requests() == 0


# --- keys and certificates --------------------------------------------------------------------------------------------

openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates of this test")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate for localhost, and its key."""
    folder = tmp_path_factory.mktemp("authority")
    certificate, key = folder / "localhost.pem", folder / "localhost.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


@contextmanager
def encrypted(authority: tuple[Path, Path], transport: str) -> Iterator[tuple[int, Callable[[], list[dict[str, str]]]]]:
    """A server of one transport over TLS: its port, and the headers of what it was asked."""
    certificate, key = authority
    if transport == "rest":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        with Host({EXISTS: WELL}, tls=context) as host:
            yield host.port, lambda: host.asked
    else:
        script = Script()
        with serving(script, address="localhost", certificate=(key.read_bytes(), certificate.read_bytes())) as port:
            yield port, lambda: script.asked


def over_tls(port: int, transport: str, host: str, ca_file: Path | None) -> QdrantClient:
    return connect(
        f"https://{host}:{port}", api_key=KEY, ca_file=ca_file, grpc_port=port if transport == "grpc" else None
    )


@openssl
@pytest.mark.parametrize("transport", ["rest", "grpc"])
class TestEncrypted:
    def test_the_key_goes_to_a_server_whose_certificate_the_file_vouches_for(
        self, authority: tuple[Path, Path], transport: str
    ) -> None:
        with encrypted(authority, transport) as (port, asked):
            server = Server(over_tls(port, transport, "localhost", authority[0]))
            assert server.ask(lambda client: client.collection_exists("products"))
            assert [headers["api-key"] for headers in asked()] == [KEY]
            server.close()

    @pytest.mark.parametrize(("host", "vouched"), [("localhost", False), ("127.0.0.1", True)])
    def test_no_key_goes_to_a_server_nobody_vouches_for_and_it_is_asked_once(
        self, authority: tuple[Path, Path], transport: str, host: str, vouched: bool
    ) -> None:
        pauses: list[float] = []
        with encrypted(authority, transport) as (port, asked):
            client = over_tls(port, transport, host, authority[0] if vouched else None)
            server = Server(client, sleep=pauses.append)
            with pytest.raises(IndexUnavailable, match=r"(?i)certificate|hostname"):
                server.ask(lambda client: client.collection_exists("products"))
            assert asked() == []
            server.close()
        assert pauses == []


@pytest.mark.parametrize("transport", ["rest", "grpc"])
def test_a_key_may_go_over_a_network_that_is_private_already(transport: str) -> None:
    script = Script()
    with Host({EXISTS: WELL}) as host, serving(script) as port:
        client = connect(host.url(""), api_key=KEY, grpc_port=port if transport == "grpc" else None)
        assert client.collection_exists("products")  # and no warning, which would be an error here
        assert [headers["api-key"] for headers in host.asked + script.asked] == [KEY]
        client.close()


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_of_authorities_that_holds_none_is_refused(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(Misconfigured, match="qdrant_ca_file"):
        connect("https://127.0.0.1:1", ca_file=file)
