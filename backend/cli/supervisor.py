"""What `shelfsight serve` is: holder of the data directory, keeper of the broker and of the one server process."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from backend.cli.processes import end, spawn
from backend.errors import DataDirectoryInUse, Misconfigured, QueueUnavailable
from backend.queueing import private_valkey
from backend.settings import Settings

_PAUSE_MAX_SECONDS = 5.0
_STEADY_SECONDS = 10.0  # a server that lived this long did not fail at its start
_BROKER_START_SECONDS = 30.0  # 200,000 messages are read back in half a second; a cold disk is slower
_SERVER_STOP_SECONDS = 40.0  # requests drain 10 s, then the batch in flight
_WATCH_SECONDS = 0.1

# By default torch's threads spin while they wait for each other, on cores that decoders and requests could use. Read
# when torch is loaded, so it is set where the process is started.
QUIET_THREADS = {"OMP_WAIT_POLICY": "PASSIVE"}


def hold(data_dir: Path) -> IO[str]:
    """Lock the data directory; the lock lives as long as the file that is returned. Raises `DataDirectoryInUse`."""
    data_dir.mkdir(parents=True, exist_ok=True)
    lock = (data_dir / "supervisor.lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise DataDirectoryInUse(f"{data_dir} is in use by another server") from None
    return lock


def is_held(data_dir: Path) -> bool:
    """Whether a server holds the data directory (it may still be starting)."""
    if not data_dir.exists():
        return False
    try:
        hold(data_dir).close()
    except DataDirectoryInUse:
        return True
    return False


class Supervisor:
    """Starts the broker and the server, and starts each again when it ends."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        """`say` gets one line for everything a person would want to know."""
        self._settings = settings
        self._say = say
        self._broker_dir = settings.data_dir / "broker"
        self._broker: subprocess.Popen[bytes] | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._stop = threading.Event()

    def run(self) -> int:
        """Supervise until SIGTERM or SIGINT, or until the server says that a person has to act; the exit status."""
        with hold(self._settings.data_dir):
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: self._stop.set())
            (self._settings.data_dir / "server.json").unlink(missing_ok=True)
            if self._own_broker:
                self._broker_dir.mkdir(parents=True, exist_ok=True)
                private_valkey.end_orphan(self._broker_dir)
            try:
                return self._watch()
            finally:
                end(self._server, timeout_seconds=_SERVER_STOP_SECONDS)
                end(self._broker, timeout_seconds=15)
                (self._settings.data_dir / "server.json").unlink(missing_ok=True)

    @property
    def _own_broker(self) -> bool:
        return self._settings.stores.broker_url is None

    def _watch(self) -> int:
        pause, started = 0.0, 0.0
        while not self._stop.is_set():
            if self._own_broker and (self._broker is None or self._broker.poll() is not None):
                self._start_broker()
            if self._server is None or self._server.poll() is not None:
                if self._server is not None:
                    if self._server.returncode == Misconfigured.exit_status:
                        return Misconfigured.exit_status
                    pause = (
                        0.0 if time.monotonic() - started > _STEADY_SECONDS else min(pause + 0.2, _PAUSE_MAX_SECONDS)
                    )
                    self._say(f"the server ended with status {self._server.returncode}; starting it again")
                    self._stop.wait(pause)
                    if self._stop.is_set():
                        break
                self._server = spawn(
                    [sys.executable, "-m", "workers.embedded"], environment=QUIET_THREADS | _quiet_hub()
                )
                started = time.monotonic()
            self._write_pids()
            self._stop.wait(_WATCH_SECONDS)
        return 0

    def _start_broker(self) -> None:
        """Start Valkey; files it refuses to read are set aside, for the ledger and not the broker knows what is due."""
        if self._broker is not None:
            self._say(f"the broker ended with status {self._broker.returncode}; starting it again")
        for _ in range(2):
            private_valkey.socket_path(self._broker_dir).unlink(missing_ok=True)
            with (self._broker_dir / "valkey.log").open("wb") as log:
                self._broker = spawn(private_valkey.command(self._broker_dir), output=log)
            until = time.monotonic() + _BROKER_START_SECONDS
            while self._broker.poll() is None and time.monotonic() < until:
                if private_valkey.answers(self._broker_dir):
                    return
                time.sleep(0.02)
            end(self._broker, timeout_seconds=5)
            if (aside := private_valkey.set_damage_aside(self._broker_dir)) is None:
                break
            self._say(f"the broker could not read its files; they are set aside in {aside}")
        raise QueueUnavailable(f"the broker does not start; see {self._broker_dir / 'valkey.log'}")

    def _write_pids(self) -> None:
        pids = {"supervisor": os.getpid(), "server": self._server.pid if self._server else None}
        pids["broker"] = self._broker.pid if self._broker else None
        path = self._settings.data_dir / "pids.json"
        text = json.dumps(pids)
        if not path.exists() or path.read_text() != text:
            partial = path.with_suffix(".partial")
            partial.write_text(text)
            partial.replace(path)


def _quiet_hub() -> dict[str, str]:
    """The model libraries' own chatter off: no telemetry, no progress bars in a log, no fork warnings."""
    return {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "TOKENIZERS_PARALLELISM": "false"}
