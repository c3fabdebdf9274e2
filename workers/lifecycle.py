"""Starting and stopping a Celery worker and the upkeep, inside a process that may do other things as well."""

import logging
import signal
import sys
import threading
from collections.abc import Callable

from celery import Celery
from celery.worker import WorkController
from celery.worker import state as worker_state

from backend.errors import Misconfigured, ShelfsightError
from backend.settings import Settings, WorkerSettings, load_settings
from backend.usecases.follow_index import FOLLOW_SECONDS
from backend.usecases.recurring import STOP_SECONDS, Recurring
from backend.usecases.services import Services

log = logging.getLogger(__name__)


def set_up_logging(level: str) -> None:
    """One line per event on stderr; libraries speak only when something is wrong."""
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for name in ("alembic", "celery", "httpx", "httpx2", "sentence_transformers", "waitress"):
        logging.getLogger(name).setLevel(logging.WARNING)


def run_process(work: Callable[[Settings, threading.Event], int]) -> int:
    """Run a process from its settings until SIGTERM or SIGINT sets the event it is given. Returns the exit status.

    A `Misconfigured` is printed plainly, for a person has to read it; any other error of ours is a line in the log.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        settings = load_settings()
        set_up_logging(settings.log_level)
        return work(settings, stop)
    except Misconfigured as err:
        print(f"{err.code}: {err.detail}", file=sys.stderr)  # noqa: T201 - see above
        return err.exit_status
    except ShelfsightError as err:
        log.error("cannot start: %s: %s", err.code, err.detail)  # noqa: TRY400 - a trace adds nothing to our own errors
        return 1


class WorkerThread:
    """A Celery worker as a thread. `WorkController` is used because it leaves signals, logging and stdout alone."""

    def __init__(self, app: Celery, *, threads: int, name: str) -> None:
        """`threads` tasks are under way at once: a place for every crew, so that none waits for another kind's."""
        self._app = app
        self._threads = threads
        self._name = name
        self._stop = threading.Event()
        self.ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="celery", daemon=True)

    def start(self) -> None:
        """Start consuming."""
        # Without these a retry or anything else that asks for "the current app" goes to amqp://localhost.
        self._app.set_default()
        self._app.finalize()
        self._thread.start()

    def stop(self) -> bool:
        """Finish the batches in flight and stop. Whether the thread ended in time."""
        self._stop.set()
        worker_state.should_stop = 0  # warm; `stop()` from another thread deadlocks the solo pool
        self._thread.join(STOP_SECONDS)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stop.is_set():
            worker_state.should_stop = None
            worker_state.should_terminate = None
            if self._stop.is_set():  # stop() came between the loop's test and the reset
                return
            try:
                WorkController(
                    app=self._app,
                    pool="threads",
                    concurrency=self._threads,
                    loglevel="WARNING",
                    hostname=self._name,
                    without_gossip=True,
                    without_mingle=True,
                    without_heartbeat=True,
                    ready_callback=lambda _consumer: self.ready.set(),
                ).start()
            except BaseException:
                log.exception("the worker ended")
            self.ready.clear()
            self._stop.wait(1)


def let_go(worker: WorkerThread, services: Services) -> bool:
    """Stop working: finish what is in hand, or give it back where that takes too long. Whether all ended in time."""
    if worker.stop():
        services.close()
        return True
    services.hand_back()
    return False


class Upkeep:
    """What is done now and again: sweep, purge, a check of the index, and a look for another one."""

    def __init__(
        self,
        services: Services,
        settings: WorkerSettings,
        *,
        follow: Callable[[], None] = lambda: None,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        """`follow` looks for another index; `beat` follows each sweep."""
        self._services = services
        self._beat = beat
        seconds = settings.check_seconds
        self._threads = (
            Recurring("sweep", self._sweep, seconds=settings.sweep_seconds),
            Recurring("purge", self._purge, seconds=settings.purge_seconds),
            Recurring("look for another index", follow, seconds=FOLLOW_SECONDS),
            *((Recurring("check of the index", self._check, seconds=seconds),) if seconds else ()),
        )

    def start(self) -> None:
        """Start them."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop them."""
        for thread in self._threads:
            thread.stop()

    def _sweep(self) -> None:
        self._services.sweep()
        self._beat()

    def _check(self) -> None:
        self._services.check_index.some()

    def _purge(self) -> None:
        self._services.purge()  # looked up each time, see `Services`
