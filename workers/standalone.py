"""A worker of its own for the server mode: `shelfsight worker` runs this as `python -m workers.standalone`."""

import logging
import os
import sys
import threading

from backend.bootstrap import build
from backend.errors import Misconfigured
from backend.settings import Settings
from workers.heartbeat import beat
from workers.lifecycle import Upkeep, WorkerThread, let_go, run_process
from workers.tasks import register_tasks

log = logging.getLogger(__name__)


def main() -> int:
    """Work until SIGTERM or SIGINT. Returns the exit status."""
    return run_process(_work)


def _work(settings: Settings, stop: threading.Event) -> int:
    if settings.embedded or settings.stores.broker_url is None or settings.stores.catalog_url is None:
        raise Misconfigured(
            "a separate worker needs servers it can share: set SHELFSIGHT_STORES__QDRANT_URL, "
            "SHELFSIGHT_STORES__BROKER_URL and SHELFSIGHT_STORES__CATALOG_URL. "
            "On one machine `shelfsight serve` runs its own worker."
        )
    built = build(settings)
    register_tasks(built.celery, built.services, built.doorbell)
    worker = WorkerThread(built.celery, threads=settings.worker.tasks, name=f"worker-{os.getpid()}@shelfsight")
    upkeep = Upkeep(built.services, settings.worker, follow=built.follow_index, beat=beat)
    upkeep.start()
    worker.start()
    log.info("working with %d threads", settings.worker.threads)
    stop.wait()
    upkeep.stop()
    ended = let_go(worker, built.services)
    logging.shutdown()
    os._exit(0 if ended else 1)  # Celery's pool threads have no other way to end


if __name__ == "__main__":
    sys.exit(main())
