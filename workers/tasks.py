"""One task per use case. A task carries nothing: what is due stands in the ledger."""

import logging
from collections.abc import Callable

from celery import Celery

from backend.errors import Unavailable
from backend.queueing.celery_app import IMPORT_PRODUCTS, RECONCILE_PRODUCTS
from backend.queueing.doorbell import CeleryDoorbell
from backend.usecases.services import Services

log = logging.getLogger(__name__)


def register_tasks(app: Celery, services: Services, doorbell: CeleryDoorbell) -> None:
    """Give the application its tasks."""

    def reconcile_products() -> None:
        _answer(doorbell, RECONCILE_PRODUCTS, services.reconcile_products)

    def import_products() -> None:
        _answer(doorbell, IMPORT_PRODUCTS, services.import_products)

    app.task(name=RECONCILE_PRODUCTS)(reconcile_products)
    app.task(name=IMPORT_PRODUCTS)(import_products)


def _answer(doorbell: CeleryDoorbell, name: str, verb: Callable[[], object]) -> None:
    """Hear the bell, then work. A part that is down is no reason to try again at once: the sweep rings in a moment."""
    doorbell.answer(name)
    try:
        verb()
    except Unavailable as err:
        log.warning("%s waits: %s", name, err)
