"""A worker of its own for the server mode: `shelfsight worker` runs this as `python -m workers.standalone`."""

import logging
import os
import signal
import sys
import threading

from backend.bootstrap import build
from backend.errors import Misconfigured, ShelfsightError
from backend.settings import load_settings
from workers.heartbeat import beat
from workers.lifecycle import SweepThread, WorkerThread, set_up_logging
from workers.tasks import register_tasks

log = logging.getLogger(__name__)


def main() -> int:
    """Work until SIGTERM or SIGINT. Returns the exit status."""
    try:
        settings = load_settings()
        set_up_logging(settings.log_level)
        if settings.embedded or settings.stores.broker_url is None or settings.stores.catalog_url is None:
            raise Misconfigured(
                "a separate worker needs servers it can share: set SHELFSIGHT_STORES__QDRANT_URL, "
                "SHELFSIGHT_STORES__BROKER_URL and SHELFSIGHT_STORES__CATALOG_URL. "
                "On one machine `shelfsight serve` runs its own worker."
            )
        built = build(settings)
    except Misconfigured as err:
        print(f"{err.code}: {err.detail}", file=sys.stderr)  # noqa: T201 - a person has to read this
        return err.exit_status
    except ShelfsightError as err:
        log.error("cannot start: %s: %s", err.code, err.detail)  # noqa: TRY400 - a trace adds nothing to our own errors
        return 1
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    register_tasks(built.celery, built.services, built.doorbell)
    worker = WorkerThread(built.celery, threads=settings.worker.threads, name=f"worker-{os.getpid()}@shelfsight")
    sweep = SweepThread(built.services.sweep, seconds=settings.worker.sweep_seconds, sole_owner=False, beat=beat)
    sweep.start()
    worker.start()
    log.info("working with %d threads", settings.worker.threads)
    stop.wait()
    sweep.stop()
    ended = worker.stop()
    if ended:
        built.services.close()
    logging.shutdown()
    os._exit(0 if ended else 1)  # Celery's pool threads have no other way to end


if __name__ == "__main__":
    sys.exit(main())
