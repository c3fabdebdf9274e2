"""The public API as the command line uses it, and a server to use it on where none runs."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import httpx

from backend.cli.processes import end, spawn, tail
from backend.cli.supervisor import is_held
from backend.errors import Misconfigured, ShelfsightError
from backend.settings import Settings

_FILE_SECONDS = 600.0  # between two signs of life: a server copies, checks and flushes a file of 2 GB before it answers
RETRY_SECONDS = 5.0  # for a server that does not say, as ours does
_RETRIED = {429, 503}
_START_SECONDS = 600.0  # a first start may download a model of 600 MB
_LOG = "server.log"


class ApiError(ShelfsightError):
    """The server refused a request; `detail` is the server's own sentence, `code` and `mend` are its own too."""

    code = "api_error"

    def __init__(self, problem: dict[str, Any]) -> None:
        wrong = "".join(f"\n  {item['field']}: {item['message']}" for item in problem.get("errors", []))
        super().__init__(f"{problem.get('code')}: {problem.get('detail')}{wrong}\n  {problem.get('mend', '')}")


class Busy(ApiError):
    """The server takes the request later (429, 503): the same one may be sent again."""

    def __init__(self, problem: dict[str, Any], *, retry_seconds: float = RETRY_SECONDS) -> None:
        """`retry_seconds`: after how long, as the server says."""
        super().__init__(problem)
        self.retry_seconds = retry_seconds


class Api:
    """A server's API. Every method returns the answer's JSON and raises `ApiError` when the server refuses."""

    def __init__(self, url: str, *, key: str | None, merchant: str) -> None:
        """`url`: scheme, host and port."""
        headers = {"X-Shelfsight-Merchant": merchant, **({"Authorization": f"Bearer {key}"} if key else {})}
        self.url = url.rstrip("/")
        # trust_env off: a proxy meant for the internet must not see requests to this machine
        self._http = httpx.Client(
            base_url=self.url, headers=headers, timeout=httpx.Timeout(60, write=_FILE_SECONDS), trust_env=False
        )

    def get(self, path: str, **parameters: object) -> Any:
        """GET; parameters of None are left out."""
        return self._json(self._http.get(path, params=_given(parameters)))

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """POST JSON."""
        return self._json(self._http.post(path, json=body))

    def snapshot_index(self) -> Any:
        """Have the index copied; a large one on a slow disk takes minutes."""
        return self._json(self._http.post("/v1/index/snapshots", timeout=_FILE_SECONDS))

    def check_index(self, products: int) -> Any:
        """Have searches compared with exact ones: a second or two for each ten products and 100,000 pictures."""
        return self._json(self._http.post("/v1/index/check", params={"products": products}, timeout=_FILE_SECONDS))

    def search(self, wanted: dict[str, Any], picture: Path | None) -> Any:
        """A search, with a picture file or without."""
        if picture is None:
            return self.post("/v1/search", wanted)
        with picture.open("rb") as file:
            image = {"image": (picture.name, file)}
            return self._json(self._http.post("/v1/search", data={"query": json.dumps(wanted)}, files=image))

    def import_file(self, path: Path, content_type: str, *, mode: str, columns: Mapping[str, str], key: str) -> Any:
        """Send a file of products as it is. `columns`: a product's field -> the file's name for it.

        `key`: by it a repetition of this very request is known as one.
        """
        given = {"mode": mode, "map": [f"{name}={column}" for name, column in columns.items()]}
        timeout = httpx.Timeout(60, write=_FILE_SECONDS, read=_FILE_SECONDS)
        with path.open("rb") as file:
            length = str(path.stat().st_size)
            headers = {"Content-Type": content_type, "Content-Length": length, "Idempotency-Key": key}
            answer = self._http.post("/v1/imports", params=given, content=file, headers=headers, timeout=timeout)
            return self._json(answer)

    def thumbnail(self, path: str, width: int) -> bytes:
        """A picture's JPEG."""
        answer = self._http.get(path, params={"width": width})
        return answer.content if answer.is_success else self._json(answer)

    def alive(self) -> bool:
        """Whether a server answers here."""
        try:
            return self._http.get("/healthz", timeout=5).is_success
        except httpx.HTTPError:
            return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._http.close()

    def _json(self, answer: httpx.Response) -> Any:
        if answer.is_success:
            return answer.json()
        if answer.headers.get("Content-Type", "").startswith("application/problem+json"):
            problem = answer.json()
        else:
            problem = {"code": f"status {answer.status_code}", "detail": answer.text[:200]}
        if answer.status_code in _RETRIED:
            raise Busy(problem, retry_seconds=_seconds(answer.headers.get("Retry-After", "")))
        raise ApiError(problem)


@contextmanager
def running(settings: Settings, *, url: str | None, merchant: str) -> Iterator[Api]:
    """The server at `url`, else the one that serves the data directory, else one started for the moment.

    Raises `Misconfigured` when none can be had.
    """
    key = settings.platform_key()
    address = url or announced(settings.data_dir)
    if address is not None:
        with Api(address, key=key, merchant=merchant) as api:
            if api.alive():
                yield api
                return
        if url is not None:
            raise Misconfigured(f"no server answers at {url}")
    if is_held(settings.data_dir):  # a server that is still starting
        own = _wait_for(settings.data_dir, lambda: not is_held(settings.data_dir), lambda: "see its own terminal")
        with Api(own, key=key, merchant=merchant) as api:
            yield api
        return
    with started(settings, port=0) as own, Api(own, key=key, merchant=merchant) as api:
        yield api


@contextmanager
def started(settings: Settings, *, port: int) -> Iterator[str]:
    """A server of our own for the moment; its address. It is stopped in order at the end."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    log_path = settings.data_dir / _LOG
    with log_path.open("wb") as log:
        command = [sys.executable, "-m", "backend.cli.main", "serve", "--port", str(port)]
        process = spawn(command, output=log, environment={"SHELFSIGHT_DATA_DIR": str(settings.data_dir)})
    try:
        yield _wait_for(settings.data_dir, lambda: process.poll() is not None, lambda: tail(log_path))
    finally:
        end(process, timeout_seconds=60)


def _wait_for(data_dir: Path, ended: Callable[[], bool], why: Callable[[], str]) -> str:
    """The address of a server that is starting. Raises `Misconfigured` with the reason when that comes to nothing."""
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until:
        if ended():
            raise Misconfigured(f"the server did not start: {why()}")
        address = announced(data_dir)
        if address is not None:
            with Api(address, key=None, merchant="default") as probe:
                if probe.alive():
                    return address
        time.sleep(0.05)
    raise Misconfigured(f"the server did not start within {_START_SECONDS:.0f} s: {why()}")


def announced(data_dir: Path) -> str | None:
    """The address the server of this data directory last said it listens on."""
    try:
        found = json.loads((data_dir / "server.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return str(found["url"]) if isinstance(found, dict) and "url" in found else None


def _seconds(retry_after: str) -> float:
    """A `Retry-After` in seconds; the other form it may have, a date, none of our servers sends."""
    return float(retry_after) if retry_after.isascii() and retry_after.isdigit() else RETRY_SECONDS


def _given(parameters: dict[str, object]) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if value is not None}
