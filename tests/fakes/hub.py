"""A model hub on loopback that speaks as much of the real one's language as a download needs."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class FakeHub:
    """One repository. `missing` files are listed but cannot be fetched; `status` is the answer of its listing."""

    repository: str
    files: Mapping[str, bytes]
    missing: frozenset[str] = frozenset()
    status: int = 200
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
        if path.startswith(f"/api/models/{hub.repository}"):
            listing = _tree(hub) if "/tree/" in path else _info(hub)
            self._answer(json.dumps(listing).encode(), hub.status, {"Content-Type": "application/json"})
        elif path.startswith("/api/"):
            self._answer(b"{}", 404, {"X-Error-Code": "RepoNotFound"})
        else:
            self._answer_file(hub, path.removeprefix(f"/{hub.repository}/resolve/{COMMIT}/"))

    def _answer_file(self, hub: FakeHub, name: str) -> None:
        if name not in hub.files or name in hub.missing:
            self._answer(b"", 404, {"X-Error-Code": "EntryNotFound"})
            return
        data = hub.files[name]
        self._answer(data, 200, {"ETag": f'"{_oid(data)}"', "X-Repo-Commit": COMMIT})

    def _answer(self, body: bytes, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for header, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(header, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

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
        server.shutdown()
        thread.join()
        server.server_close()


def _info(hub: FakeHub) -> object:
    return {"id": hub.repository, "sha": COMMIT, "siblings": [{"rfilename": name} for name in hub.files]}


def _tree(hub: FakeHub) -> object:
    return [{"type": "file", "path": name, "size": len(data), "oid": _oid(data)} for name, data in hub.files.items()]


def _oid(data: bytes) -> str:
    return sha1(data).hexdigest()
