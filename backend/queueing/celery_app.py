"""The Celery application both ends share: settings measured for a broker that may be killed at any moment."""

from celery import Celery
from kombu import Queue

RECONCILE_FACTS = "shelfsight.reconcile_facts"
RECONCILE_UPLOADS = "shelfsight.reconcile_uploads"
RECONCILE_IMPORTS = "shelfsight.reconcile_imports"
FETCH_PICTURES = "shelfsight.fetch_pictures"
IMPORT_PRODUCTS = "shelfsight.import_products"
TASKS = (RECONCILE_FACTS, RECONCILE_UPLOADS, RECONCILE_IMPORTS, FETCH_PICTURES, IMPORT_PRODUCTS)
"""Each has a queue of its own name: new prices never wait behind pictures."""


def celery_app(broker_url: str) -> Celery:
    """A Celery application for the broker. One per process: Celery keeps process-wide state."""
    app = Celery("shelfsight", broker=broker_url, set_as_current=False)
    app.conf.update(
        task_queues=[Queue(name) for name in TASKS],
        task_routes={name: {"queue": name} for name in TASKS},
        task_ignore_result=True,  # outcomes stand in the catalog's ledger
        task_acks_late=True,  # a doorbell lost with its worker rings again; the sweep covers what this does not
        task_reject_on_worker_lost=True,  # safe because the ledger counts attempts, not Celery
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # the default gives up for ever after 100 tries
        broker_connection_timeout=2,
        broker_transport_options={
            "visibility_timeout": 60,  # a doorbell rung into a dead worker rings again after a minute at the latest
            "unacked_restore_interval": 5,  # kombu's defaults look only every 100 s
            "unacked_restore_throttle": 1,
            "unacked_mutex_expire": 10,  # a worker killed while restoring blocks all others for this long (default 300)
            "socket_timeout": 5,
            "socket_connect_timeout": 2,
            "socket_keepalive": True,
            "priority_steps": [0],
        },
    )
    return app
