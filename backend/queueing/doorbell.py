"""Ringing: at most one unanswered ring per bell, and never an error for the caller."""

import logging
import time

import redis
from celery import Celery
from kombu.exceptions import OperationalError
from redis.backoff import NoBackoff
from redis.retry import Retry

from backend.domain.work import Work
from backend.queueing.celery_app import (
    FETCH_PICTURES,
    IMPORT_PRODUCTS,
    RECONCILE_FACTS,
    RECONCILE_IMPORTS,
    RECONCILE_UPLOADS,
)

log = logging.getLogger(__name__)

TASK_OF = {
    Work.FACTS: RECONCILE_FACTS,
    Work.FETCH: FETCH_PICTURES,
    Work.UPLOADS: RECONCILE_UPLOADS,
    Work.IMPORTS: RECONCILE_IMPORTS,
}

_UNANSWERED_MS = 2_000  # a ring nobody answered is forgotten after this, so that a lost message delays by this at most
_ENOUGH = 100  # unheard rings in a queue: while no worker runs, uploads for days must not fill the broker's memory
_PAUSE_SECONDS = 1.0  # a broker that failed is left alone for this long: uploads must not wait for it one by one
_ANSWER_SECONDS = 0.5  # redis-py would retry three times with back-off: a frozen broker then holds an upload for 15 s


class CeleryDoorbell:
    """The port's `Doorbell`, and the workers' way of saying that they heard it."""

    def __init__(self, app: Celery, broker_url: str) -> None:
        """`broker_url` as Celery takes it; `redis+socket://` is a Unix socket."""
        self._app = app
        self._redis = redis.Redis.from_url(
            broker_url.replace("redis+socket://", "unix://", 1),
            socket_timeout=_ANSWER_SECONDS,
            socket_connect_timeout=_ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._paused_until = 0.0

    def ring(self, work: Work) -> None:
        """There are products due for this work."""
        self._ring(TASK_OF[work])

    def ring_imports(self) -> None:
        """There are imports to read."""
        self._ring(IMPORT_PRODUCTS)

    def answer(self, task: str) -> None:
        """A worker has heard the bell: from now on a new ring is new work."""
        try:
            self._redis.delete(_bell(task))
        except redis.RedisError as err:
            log.warning("the broker did not take an answer: %s", err)  # the bell forgets by itself

    def reachable(self) -> bool:
        """Whether the broker answers now."""
        try:
            return bool(self._redis.ping())
        except redis.RedisError:
            return False

    def close(self) -> None:
        """Let go of the connections."""
        self._redis.close()

    def _ring(self, task: str) -> None:
        if time.monotonic() < self._paused_until:
            return
        try:
            if self._redis.set(_bell(task), 1, nx=True, px=_UNANSWERED_MS) and self._redis.llen(task) < _ENOUGH:
                self._app.send_task(task, retry=False, ignore_result=True)
        except (redis.RedisError, OperationalError, OSError) as err:
            self._paused_until = time.monotonic() + _PAUSE_SECONDS
            log.warning("the broker cannot be rung, the sweep will: %s", err)


def _bell(task: str) -> str:
    return f"{task}:bell"
