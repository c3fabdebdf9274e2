"""A job's progress as server-sent events (WHATWG HTML 9.2)."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

from flask import Response, current_app

from backend.api.schemas.job import JobView
from backend.errors import ShelfsightError, TooManyStreams
from backend.settings import Settings
from backend.usecases.services import Services

EVENT_STREAM = "text/event-stream"
_LOOK_SECONDS = 1.0  # a stream writes at least so often: it notices a client that went away only by writing
_RETRY_MILLISECONDS = 2_000  # when a browser opens the next stream after the end of one


class Streams:
    """Open streams. Each pins a thread of the server, so at most a third of them (and one) may be open."""

    def __init__(self, services: Services, settings: Settings) -> None:
        self._services = services
        self._seconds = settings.limits.stream_seconds
        self._slots = threading.BoundedSemaphore(max(1, settings.server.threads // 3))

    def follow(self, merchant: str, job_id: str) -> Response:
        """The stream's beginning. Raises `JobNotFound` or `TooManyStreams`."""
        self._services.read_job(merchant, job_id)
        if not self._slots.acquire(blocking=False):
            raise TooManyStreams
        in_flight = current_app.config["IN_FLIGHT"]
        in_flight.add(1)
        ended = ExitStack()  # runs its callbacks once, however often the server closes the answer
        ended.callback(self._slots.release)
        ended.callback(in_flight.add, -1)
        answer = Response(self._events(merchant, job_id, current_app.config["DRAINING"]), content_type=EVENT_STREAM)
        answer.call_on_close(ended.close)  # not the generator's `finally`: one that never began would not run it
        answer.headers.update({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})  # nginx would hold it back
        return answer

    def _events(self, merchant: str, job_id: str, draining: threading.Event) -> Iterator[str]:
        yield f"retry: {_RETRY_MILLISECONDS}\n\n"
        until = time.monotonic() + self._seconds
        sent = ""
        try:
            while time.monotonic() < until and not draining.is_set():
                for job in self._services.watch_job(merchant, job_id, _LOOK_SECONDS):
                    view = JobView.of(job) if job else None
                    if view and view.etag != sent:
                        sent = view.etag
                        yield _event("progress", view)
                    if view and view.done:
                        yield _event("done", view)
                        return
                yield ": still here\n\n"
        except ShelfsightError:  # a part is down: the browser asks again, and is then told so with a status
            return


def _event(name: str, view: JobView) -> str:
    return f"id: {view.etag}\nevent: {name}\ndata: {view.body}\n\n"
