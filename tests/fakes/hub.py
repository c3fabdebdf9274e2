"""A model hub on loopback that speaks as much of the real one's language as a download needs."""

import json
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

COMMIT = "0123456789abcdef0123456789abcdef01234567"

CLIP_FILES = {
    "modules.json": b'[{"path": "0_CLIPModel"}]',
    "README.md": b"about",
    "0_CLIPModel/config.json": b"{}",
    "0_CLIPModel/preprocessor_config.json": b"{}",
    "0_CLIPModel/tokenizer.json": b"{}",
    "0_CLIPModel/model.safetensors": b"weights",
    "0_CLIPModel/pytorch_model.bin": b"the same weights",
}
"""A complete CLIP as the hub lists it, with a readme and its weights a second time; nothing in it can be loaded."""


def _open() -> Event:
    gate = Event()
    gate.set()
    return gate


@dataclass
class FakeHub:
    """One repository, and what is wrong with the hub.

    `status` is the answer of the listing, and `page` stands in for it. `resets`: every connection is cut before its
    answer. Of the files, the `missing` are listed but not there, of the `halved` one half is sent before the connection
    is cut, and `file_status` is the answer of all of them. Answers wait for `gate`, files for `file_gate` too.
    """

    repository: str
    files: Mapping[str, bytes]
    missing: frozenset[str] = frozenset()
    halved: frozenset[str] = frozenset()
    status: int = 200
    file_status: int = 200
    page: bytes = b""
    resets: bool = False
    gate: Event = field(default_factory=_open)
    file_gate: Event = field(default_factory=_open)
    endpoint: str = ""
    asked: list[str] = field(default_factory=list)


class _Server(ThreadingHTTPServer):
    def __init__(self, hub: FakeHub) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.hub = hub


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        hub = self.server.hub
        path = self.path.partition("?")[0]
        hub.asked.append(path)
        hub.gate.wait()
        if hub.resets:
            self._reset()
            return
        if path.startswith(f"/api/models/{hub.repository}"):
            listing = json.dumps(_tree(hub) if "/tree/" in path else _info(hub)).encode()
            self._answer(hub.page or listing, hub.status, {"Content-Type": "application/json"})
        elif path.startswith("/api/"):
            self._answer(b"{}", 404, {"X-Error-Code": "RepoNotFound"})
        else:
            self._answer_file(hub, path.removeprefix(f"/{hub.repository}/resolve/{COMMIT}/"))

    def _answer_file(self, hub: FakeHub, name: str) -> None:
        hub.file_gate.wait()
        if name not in hub.files or name in hub.missing:
            self._answer(b"", 404, {"X-Error-Code": "EntryNotFound"})
            return
        data = hub.files[name]
        headers = {"ETag": f'"{_oid(data)}"', "X-Repo-Commit": COMMIT}
        self._answer(data, hub.file_status, headers, sent=len(data) // 2 if name in hub.halved else None)

    def _answer(self, body: bytes, status: int, headers: Mapping[str, str], sent: int | None = None) -> None:
        """`sent`: so many bytes of the body, then the connection ends."""
        self.send_response(status)
        for header, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(header, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[:sent])
            self.close_connection = self.close_connection or sent is not None

    def _reset(self) -> None:
        """RST instead of FIN: what a firewall or a proxy that is out of sorts does. Source: socket(7), SO_LINGER."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def log_message(self, *_args: object) -> None:
        """A test's output is no access log."""


@contextmanager
def serving(hub: FakeHub) -> Iterator[FakeHub]:
    """Serve `hub` on a free port until the block ends; `hub.endpoint` is its address."""
    server = _Server(hub)
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        hub.gate.set()
        hub.file_gate.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _info(hub: FakeHub) -> object:
    return {"id": hub.repository, "sha": COMMIT, "siblings": [{"rfilename": name} for name in hub.files]}


def _tree(hub: FakeHub) -> object:
    return [{"type": "file", "path": name, "size": len(data), "oid": _oid(data)} for name, data in hub.files.items()]


def _oid(data: bytes) -> str:
    return sha1(data).hexdigest()
