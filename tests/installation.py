"""A real installation for tests: `shelfsight serve` as a child process on a data directory of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

START_SECONDS = 120.0
STOP_SECONDS = 60.0
DECODER = "backend.imaging.decoder"
"""What the command line of a process that decodes pictures names."""


class Installation:
    """Starts, kills and asks a server. Every process it starts is ended by `stop`."""

    def __init__(self, data_dir: Path, **settings: str) -> None:
        self.data_dir = data_dir
        self.log = data_dir.parent / f"{data_dir.name}.log"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SHELFSIGHT_")}
        self.environment = {
            **inherited,
            "SHELFSIGHT_DATA_DIR": str(data_dir),
            "SHELFSIGHT_SERVER__PORT": "0",
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.http = httpx.Client(timeout=60, trust_env=False)

    def start(self) -> None:
        """Start and wait until the server answers."""
        self.launch()
        self.wait_until(self.answers, START_SECONDS)

    def launch(self) -> "subprocess.Popen[bytes]":
        """Start without waiting."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "backend.cli.main", "serve"], env=self.environment, stdout=log, stderr=log
            )
        return self._process

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop in order; the supervisor's exit status."""
        self.http.close()
        self.http = httpx.Client(timeout=60, trust_env=False)
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(number)
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise

    def kill(self, *names: str) -> None:
        """SIGKILL to `server`, `broker` or `supervisor`; nothing happens to one that is just being started again."""
        pids = self.pids()
        for name in names:
            _kill(pids.get(name))
        if "supervisor" in names and self._process is not None:
            self._process.wait(10)

    def kill_decoders(self) -> int:
        """SIGKILL to the processes in which the server decodes pictures; how many there were."""
        found = self.decoders()
        for pid in found:
            _kill(pid)
        return len(found)

    def decoders(self) -> list[int]:
        """The server's children that decode pictures."""
        server = self.pids().get("server")
        listing = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
        rows = (line.split(None, 2) for line in listing.splitlines())
        return [int(row[0]) for row in rows if len(row) == 3 and int(row[1]) == server and DECODER in row[2]]

    def kill_everything_and_wipe_the_broker(self) -> None:
        """All processes at once, and what the broker keeps on disk; not started again."""
        self.kill("supervisor", "broker", "server")
        shutil.rmtree(self.data_dir / "broker" / "appendonlydir", ignore_errors=True)

    def rss_bytes(self) -> int:
        """Resident memory of the server process (without the processes that decode for it)."""
        rows = subprocess.run(
            ["ps", "-o", "rss=", "-p", str(self.pids()["server"])], capture_output=True, text=True, check=True
        )
        return int(rows.stdout) * 1024

    def pids(self) -> dict[str, int]:
        found: dict[str, int] = json.loads((self.data_dir / "pids.json").read_text())
        return found

    @property
    def url(self) -> str:
        return str(json.loads((self.data_dir / "server.json").read_text())["url"])

    def answers(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise AssertionError(f"the server ended:\n{self.log.read_text()[-3000:]}")
        try:
            return self.http.get(f"{self.url}/readyz").status_code == 200
        except (httpx.HTTPError, OSError, ValueError):
            return False

    def send(self, request: httpx.Request) -> httpx.Response:
        """Send a request that was made for any host, byte for byte."""
        headers = [(name, value) for name, value in request.headers.raw if name.lower() != b"host"]
        url = self.url + str(request.url.raw_path, "ascii")
        return self.http.request(request.method, url, content=request.read(), headers=headers)

    def get(self, path: str, **parameters: Any) -> Any:
        answer = self.http.get(self.url + path, params=parameters)
        assert answer.is_success, answer.text
        return answer.json()

    def put(self, product_id: str, picture: bytes, **facts: object) -> Any:
        parts: dict[str, Any] = {
            "product": (None, json.dumps(facts), "application/json"),
            "images": ("a.jpg", picture, "image/jpeg"),
        }
        answer = self.http.put(f"{self.url}/v1/products/{product_id}", files=parts)
        assert answer.status_code == 202, answer.text
        return answer.json()

    def search(self, picture: bytes | None = None, **query: object) -> list[dict[str, Any]]:
        if picture is None:
            answer = self.http.post(f"{self.url}/v1/search", json=query)
        else:
            files = {"image": ("q.jpg", picture, "image/jpeg")}
            answer = self.http.post(f"{self.url}/v1/search", files=files, data={"query": json.dumps(query)})
        assert answer.is_success, answer.text
        matches: list[dict[str, Any]] = answer.json()["matches"]
        return matches

    def import_zip(self, data: bytes) -> str:
        answer = self.http.post(f"{self.url}/v1/imports", content=data, headers={"Content-Type": "application/zip"})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["job_id"])

    def wait_until(self, holds: Callable[[], bool], seconds: float = 60.0) -> None:
        until = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > until:
                raise AssertionError(f"not within {seconds:.0f} s; the log ends:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.05)

    def settled(self) -> bool:
        """Whether nothing waits."""
        queue = self.get("/v1/status")["queue"]
        return not queue["products_due"] and not queue["imports_due"]


def _kill(pid: int | None) -> None:
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
