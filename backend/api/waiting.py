"""`Prefer: wait` (RFC 7240 4.3): a caller who would rather wait for a searchable product than ask again."""

import re
import threading
import time

from flask import Response, current_app, jsonify, request
from pydantic import Field

from backend.api.errors import failed_product
from backend.api.idempotency import WriteHeaders
from backend.api.schemas.product import ProductView
from backend.domain.product import ProductRecord, ProductState
from backend.domain.work import Accepted
from backend.errors import Unavailable
from backend.settings import Settings
from backend.usecases.services import Services

_LOOK_SECONDS = 1.0
_WAIT = re.compile(r'\s*wait\s*=\s*"?([0-9]{1,9})"?\s*(?:;.*)?', re.IGNORECASE)


class PutHeaders(WriteHeaders):
    """Headers of a product's upload."""

    prefer: str | None = Field(
        None,
        alias="Prefer",
        description="`wait=N`: answer 200 or 201 with the product once it is searchable, 202 if that takes more than N "
        "seconds (at most the setting limits.wait_seconds) or if too many requests wait already.",
    )

    @property
    def wait_seconds(self) -> int:
        """How long the caller would wait; 0 without such a preference, or with one nobody can read (RFC 7240 2)."""
        found = (_WAIT.fullmatch(item) for item in (self.prefer or "").split(","))
        return next((int(match[1]) for match in found if match), 0)


class Waiting:
    """Requests that wait. Each pins a thread of the server, so at most a third of them may."""

    def __init__(self, services: Services, settings: Settings) -> None:
        self._services = services
        self._longest = settings.limits.wait_seconds
        self._slots = threading.BoundedSemaphore(settings.server.threads // 3)

    def answer(self, accepted: Accepted, seconds: float) -> Response | None:
        """200, 201, or 422 with the reason; None when the usual 202 has to do."""
        seconds = min(seconds, self._longest)
        if not seconds or not self._slots.acquire(blocking=False):
            return None
        try:
            record = self._settled(accepted, seconds)
        except Unavailable:  # the change is durable all the same, and a 503 would have it sent again
            return None
        finally:
            self._slots.release()
        if record is None or record.deleted or record.state is ProductState.PENDING:  # pending: changed again meanwhile
            return None
        if record.state is ProductState.FAILED:
            return failed_product(record, accepted.job_id)
        answer = jsonify(ProductView.of(record).model_dump(mode="json"))
        answer.status_code = 201 if accepted.created else 200
        answer.headers.update({"Location": request.path, "Preference-Applied": "wait"})
        return answer

    def _settled(self, accepted: Accepted, seconds: float) -> ProductRecord | None:
        """In short waits, so that a server that stops still gives its 202."""
        draining: threading.Event = current_app.config["DRAINING"]
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not draining.is_set():
            record = self._services.await_product(accepted.key, accepted.version, min(left, _LOOK_SECONDS))
            if record is not None:
                return record
        return None
