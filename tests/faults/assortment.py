"""Pictures for a crash run: some all products share, some nobody has sent before, some at an address, some at none."""

import hashlib
import random
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from tests import pictures

SHARED = 40
_COMMENT = 0xFE  # JPEG's marker for a comment: other bytes, another hash, the same picture


class Assortment:
    """Small pictures, and a host on loopback that serves the shared ones. Used in a `with` statement."""

    def __init__(self, seed: int) -> None:
        self._shared = [pictures.encode(pictures.photo(64, 64, seed=seed * SHARED + n), "JPEG") for n in range(SHARED)]
        self._host = _host(self._shared)

    def some(self, rng: random.Random) -> list[bytes]:
        """One to three different pictures."""
        chosen = rng.sample(self._shared, rng.randint(1, 3))
        return [data if rng.random() < 0.4 else _new(data, rng) for data in chosen]

    def address(self, rng: random.Random) -> tuple[str, str]:
        """Where a picture can be fetched, and its content hash."""
        number = rng.randrange(SHARED)
        return f"{self._url}/{number}.jpg", content_hash(self._shared[number])

    def dead_address(self, rng: random.Random) -> str:
        """Where there is none: 404, which is not tried again."""
        return f"{self._url}/none-{rng.getrandbits(32)}.jpg"

    @property
    def settings(self) -> dict[str, str]:
        """What lets a server fetch from the host."""
        return {
            "SHELFSIGHT_FETCH__ALLOW_PRIVATE": "true",
            "SHELFSIGHT_FETCH__PORTS": f"[{self._host.server_port}]",
        }

    @property
    def _url(self) -> str:
        return f"http://127.0.0.1:{self._host.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._host.serve_forever, name="pictures", daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._host.shutdown()
        self._host.server_close()


def content_hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _new(data: bytes, rng: random.Random) -> bytes:
    return pictures.jpeg_with(data, _COMMENT, rng.randbytes(8).hex().encode())


def _host(shared: list[bytes]) -> ThreadingHTTPServer:
    by_path = {f"/{number}.jpg": data for number, data in enumerate(shared)}

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = by_path.get(self.path)
            self.send_response(200 if data else 404)
            self.send_header("Content-Type", "image/jpeg")
            self.send_header("Content-Length", str(len(data or b"")))
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
            """Thousands of lines nobody reads."""

    return ThreadingHTTPServer(("127.0.0.1", 0), Answer)
