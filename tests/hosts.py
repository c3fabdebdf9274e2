"""A host of pictures on loopback, as good or as hostile as a test needs it.

    with Host({"/cup.jpg": picture(data)}) as host:
        ...  # ask host.url("/cup.jpg"); host.requests["/cup.jpg"] counts

A behaviour is a function of one `Exchange`: it reads what was asked and sends what it likes, byte by byte.
"""

import contextlib
import gzip
import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from tests.internet import PUBLIC, Internet

__all__ = ["PUBLIC", "Internet"]  # where hosts are found; for tests that use both

# --- exchanges and behaviours -----------------------------------------------------------------------------------------


class HangUp(Exception):
    """Raised by a behaviour: close the connection now."""


@dataclass
class Exchange:
    """One request and the way back. `number`: how many requests for this path came before, and this one."""

    path: str
    headers: dict[str, str]
    number: int
    connection: socket.socket
    stopping: threading.Event

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def answer(self, status: int, headers: Mapping[str, object] | None = None, body: bytes = b"") -> None:
        """A whole answer, with its length unless the headers have one."""
        fields = {"Content-Length": len(body), **(headers or {})}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.send(f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode() + body)

    def pause(self, seconds: float) -> None:
        """Wait, but not longer than the host lives."""
        if self.stopping.wait(seconds):
            raise HangUp


Behaviour = Callable[[Exchange], None]


def picture(data: bytes, *, etag: str | None = None, last_modified: str | None = None) -> Behaviour:
    """Sends the bytes; 304 to who has them already."""
    validators = {name: value for name, value in (("ETag", etag), ("Last-Modified", last_modified)) if value}

    def behave(exchange: Exchange) -> None:
        known = exchange.headers.get("if-none-match"), exchange.headers.get("if-modified-since")
        if (etag and known[0] == etag) or (last_modified and not known[0] and known[1] == last_modified):
            exchange.send(b"HTTP/1.1 304 X\r\n" + f"ETag: {etag}\r\n\r\n".encode())
        else:
            exchange.answer(200, {"Content-Type": "image/jpeg", **validators}, data)

    return behave


def status(code: int, headers: Mapping[str, object] | None = None, body: bytes = b"") -> Behaviour:
    """Answers with a status."""
    return lambda exchange: exchange.answer(code, headers, body)


def redirect(location: str, code: int = 302) -> Behaviour:
    """Points elsewhere."""
    return status(code, {"Location": location})


def first(times: int, behaviour: Behaviour, then: Behaviour) -> Behaviour:
    """Behaves one way for so many requests, then another."""
    return lambda exchange: (behaviour if exchange.number <= times else then)(exchange)


def late(seconds: float, then: Behaviour) -> Behaviour:
    """Waits before it answers."""

    def behave(exchange: Exchange) -> None:
        exchange.pause(seconds)
        then(exchange)

    return behave


def silent() -> Behaviour:
    """Accepts and never answers."""
    return late(3600, status(200))


def raw(data: bytes) -> Behaviour:
    """Sends these bytes as they are and closes."""

    def behave(exchange: Exchange) -> None:
        exchange.send(data)
        raise HangUp

    return behave


def dripping(data: bytes, seconds: float, *, ahead: bytes = b"") -> Behaviour:
    """Sends `ahead` at once and `data` over and over, with a pause after each."""

    def behave(exchange: Exchange) -> None:
        exchange.send(ahead)
        while True:
            exchange.send(data)
            exchange.pause(seconds)

    return behave


def lying(data: bytes, announced: int) -> Behaviour:
    """Announces another length than it sends, then closes."""
    return raw(f"HTTP/1.1 200 OK\r\nContent-Length: {announced}\r\n\r\n".encode() + data)


def endless(chunk: bytes = b"\xff" * 65_536) -> Behaviour:
    """Chunks without end, as fast as they are taken, with no length announced."""
    part = f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n"
    return dripping(part, 0, ahead=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")


def gzip_bomb(size: int) -> Behaviour:
    """A small body that unpacks to `size` bytes, whatever encoding was asked for."""
    return status(200, {"Content-Encoding": "gzip", "Content-Type": "image/bmp"}, gzip.compress(bytes(size)))


def resetting() -> Behaviour:
    """Ends the connection with a reset."""

    def behave(exchange: Exchange) -> None:
        exchange.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise HangUp

    return behave


# --- the host ---------------------------------------------------------------------------------------------------------


class Host:
    """A server on loopback. Counts what comes: `requests` and `connections` per path, and how many at once at most.

    `connected` counts every connection, also those that asked for nothing; `asked` has the headers of every request.
    """

    def __init__(self, behaviours: Mapping[str, Behaviour] | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.behaviours = dict(behaviours or {})
        self.requests: Counter[str] = Counter()
        self.connections: Counter[str] = Counter()
        self.connected = 0
        self.most_at_once = 0
        self.asked: list[dict[str, str]] = []
        self._at_once = 0
        self._tls = tls
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._open_connections: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def open_now(self) -> int:
        """How many connections are open."""
        with self._lock:
            return len(self._open_connections)

    def start(self) -> Self:
        self._run(self._accept)
        return self

    def stop(self) -> None:
        """Close everything and wait for the threads; behaviours that wait are woken."""
        self._stopping.set()
        with contextlib.suppress(OSError):  # wakes `accept`
            socket.create_connection(("127.0.0.1", self.port), 5).close()
        self._threads[0].join(10)  # from here on no connection is added
        with self._lock:
            for connection in self._open_connections:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)  # below TLS, whose state its thread uses
        for thread in self._threads:
            thread.join(10)
        self._listener.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _run(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            connection, _ = self._listener.accept()
            if self._stopping.is_set():
                connection.close()
                return
            with self._lock:
                self.connected += 1
            self._run(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, HangUp), self._open(connection):
            if self._tls is None:
                self._talk(connection)
            else:
                with self._open(self._tls.wrap_socket(connection, server_side=True)) as encrypted:
                    self._talk(encrypted)

    @contextlib.contextmanager
    def _open(self, connection: socket.socket) -> Iterator[socket.socket]:
        """The connection, which `stop` ends if it is still open then."""
        with self._lock:
            self._open_connections.add(connection)
        try:
            with connection:
                yield connection
        finally:
            with self._lock:
                self._open_connections.discard(connection)

    def _talk(self, connection: socket.socket) -> None:
        seen: set[str] = set()
        while (request := self._read(connection)) is not None:
            path, headers = request
            with self._lock:
                self.requests[path] += 1
                number = self.requests[path]
                self.connections[path] += path not in seen
                self.asked.append(headers)
                self._at_once += 1
                self.most_at_once = max(self.most_at_once, self._at_once)
            seen.add(path)
            try:
                behaviour = self.behaviours.get(path, status(404))
                behaviour(Exchange(path, headers, number, connection, self._stopping))
            finally:
                with self._lock:
                    self._at_once -= 1

    def _read(self, connection: socket.socket) -> tuple[str, dict[str, str]] | None:
        data = b""
        while b"\r\n\r\n" not in data:
            part = connection.recv(65_536)
            if not part:
                return None
            data += part
        head, *lines = data.decode("latin-1").split("\r\n\r\n", 1)[0].split("\r\n")
        pairs = (line.partition(":") for line in lines)
        return head.split(" ")[1], {name.lower(): value.strip() for name, _, value in pairs}
