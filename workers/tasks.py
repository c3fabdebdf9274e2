"""One task per use case. A task carries nothing: what is due stands in the ledger."""

import logging
from collections.abc import Callable

from celery import Celery

from backend.domain.work import Work
from backend.errors import Unavailable
from backend.queueing.celery_app import (
    FETCH_PICTURES,
    IMPORT_PRODUCTS,
    RECONCILE_FACTS,
    RECONCILE_IMPORTS,
    RECONCILE_UPLOADS,
)
from backend.queueing.doorbell import CeleryDoorbell
from backend.usecases.services import Services

log = logging.getLogger(__name__)


def register_tasks(app: Celery, services: Services, doorbell: CeleryDoorbell) -> None:
    """Give the application its tasks."""
    verbs: dict[str, Callable[[], object]] = {
        RECONCILE_FACTS: lambda: services.reconcile_products(Work.FACTS),
        RECONCILE_UPLOADS: lambda: services.reconcile_products(Work.UPLOADS),
        RECONCILE_IMPORTS: lambda: services.reconcile_products(Work.IMPORTS),
        FETCH_PICTURES: services.fetch_pictures,
        IMPORT_PRODUCTS: services.import_products,
    }
    for name, verb in verbs.items():
        app.task(name=name)(_task(doorbell, name, verb))


def _task(doorbell: CeleryDoorbell, name: str, verb: Callable[[], object]) -> Callable[[], None]:
    def task() -> None:
        _answer(doorbell, name, verb)

    return task


def _answer(doorbell: CeleryDoorbell, name: str, verb: Callable[[], object]) -> None:
    """Hear the bell, then work. A part that is down is no reason to try again at once: the sweep rings in a moment."""
    doorbell.answer(name)
    try:
        verb()
    except Unavailable as err:
        log.warning("%s waits: %s", name, err)
