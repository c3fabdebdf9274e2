"""The one process of the embedded mode: HTTP threads, a Celery worker thread and the sweep beside one open index.

Started by the supervisor behind `shelfsight serve` as `python -m workers.embedded`. The main thread only waits for
signals. The embedded index allows one process and no fork once it is open.
"""

import fcntl
import gc
import json
import logging
import os
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, Any

from waitress.server import create_server

from backend.api.app import InFlight, create_app
from backend.bootstrap import build
from backend.errors import DataDirectoryInUse, Misconfigured
from backend.settings import Settings
from workers.lifecycle import Upkeep, WorkerThread, let_go, run_process
from workers.tasks import register_tasks

log = logging.getLogger(__name__)

_DRAIN_SECONDS = 10.0
_RECEIVED_BYTES = 1 << 18
"""Taken from a connection at once. With waitress' own 8 kB 100 MB of an import are 13,000 turns of its loop."""
_PARENT_SECONDS = 1.0


def main() -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit status."""
    return run_process(_serve)


def _serve(settings: Settings, stop: threading.Event) -> int:
    supervisor = os.getppid()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    lock = _engine_lock(settings.data_dir)
    key = settings.door_key()
    _use_scratch(settings.data_dir / "tmp")
    shutil.rmtree(settings.snapshots, ignore_errors=True)  # laid for a backup that was ended before it came for it
    built = build(settings)
    app = create_app(built.services, settings, key=key)
    register_tasks(built.celery, built.services, built.doorbell)
    server = _listening(app, settings)
    worker = WorkerThread(built.celery, threads=settings.worker.tasks, name="embedded@shelfsight")
    built.services.sweep.take_over()
    built.services.purge.take_over()
    upkeep = Upkeep(built.services, settings.worker, follow=built.follow_index)
    upkeep.start()
    worker.start()
    threading.Thread(target=server.run, name="web", daemon=True).start()
    gc.collect()
    gc.freeze()  # what is there by now stays: the collector need not walk over torch and the rest each time
    _announce(settings.data_dir, settings.server.host, int(server.effective_port))
    # where the kernel does not end us with our supervisor (macOS), another parent tells that it is gone
    while not stop.wait(_PARENT_SECONDS) and os.getppid() == supervisor:
        pass
    app.config["DRAINING"].set()  # new requests get 503 from here on
    _wait_for_requests(app.config["IN_FLIGHT"])
    # server.close() from this thread would write stray bytes into reused file descriptors: only the threads are ended
    server.task_dispatcher.shutdown(cancel_pending=False, timeout=2)
    upkeep.stop()
    ended = let_go(worker, built.services)
    lock.close()
    logging.shutdown()
    os._exit(0 if ended else 1)  # the daemon threads of waitress and Celery have no other way to end


def _engine_lock(data_dir: Path) -> IO[str]:
    """Lock the engine, waiting for a server that is just being killed; two engines must never open one index."""
    lock = (data_dir / "engine.lock").open("a+")
    until = time.monotonic() + 10
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise DataDirectoryInUse(f"another server works on {data_dir}") from None
            time.sleep(0.1)
        else:
            return lock


def _use_scratch(folder: Path) -> None:
    """Receive uploads inside the data directory: gigabytes must not land in a /tmp that is held in memory."""
    shutil.rmtree(folder, ignore_errors=True)  # what an earlier process did not finish receiving
    folder.mkdir()
    tempfile.tempdir = str(folder)


def _listening(app: Any, settings: Settings) -> Any:
    """A waitress server that is bound but not running yet. Raises `Misconfigured` when the address is taken."""
    # waitress refuses what exceeds this before our code sees it, so it gets the greatest limit of any route
    most = max(settings.limits.max_import_bytes, settings.limits.max_upload_bytes) + 1_000_000
    host, port = settings.server.host, settings.server.port
    try:
        return create_server(
            app,
            host=host,
            port=port,
            threads=settings.server.threads,
            max_request_body_size=most,
            recv_bytes=_RECEIVED_BYTES,
            ident=None,
        )
    except OSError as err:
        raise Misconfigured(f"cannot listen on {host}:{port}: {err.strerror}; choose another with --port") from err


def _announce(data_dir: Path, host: str, port: int) -> None:
    """Tell the command line where the server listens; written whole or not at all."""
    shown = f"[{host}]" if ":" in host else host
    partial = data_dir / "server.json.partial"
    partial.write_text(json.dumps({"url": f"http://{shown}:{port}", "pid": os.getpid()}))
    partial.replace(data_dir / "server.json")
    log.info("serving on http://%s:%d", shown, port)


def _wait_for_requests(in_flight: InFlight) -> None:
    until = time.monotonic() + _DRAIN_SECONDS
    while in_flight.value and time.monotonic() < until:
        time.sleep(0.02)


if __name__ == "__main__":
    sys.exit(main())
