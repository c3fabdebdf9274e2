"""Follow a job: its counts whenever they change, until it is done."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from backend.domain.job import Job
from backend.usecases.read_job import ReadJob

_LOOK_SECONDS = 1.0  # as often as a person's eye wants it; a look costs the same for a million items
_HEARTBEAT_SECONDS = 10.0  # shorter than the idle time-outs of common proxies


@dataclass(frozen=True)
class WatchJob:
    """Looks at the job every second."""

    read_job: ReadJob
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic

    def __call__(self, merchant: str, job_id: str, seconds: float) -> Iterator[Job | None]:
        """The job at first and after each change; None as a sign of life when nothing changed for a while.

        Ends when the job is done or after `seconds`. Raises `JobNotFound` at once.
        """
        return self._follow(self.read_job(merchant, job_id), seconds)

    def _follow(self, job: Job, seconds: float) -> Iterator[Job | None]:
        until = self.monotonic() + seconds
        yield job
        spoke = self.monotonic()
        while not job.done and self.monotonic() < until:
            self.sleep(_LOOK_SECONDS)
            latest = self.read_job(job.merchant, job.job_id)
            if latest != job:
                job = latest
                yield job
                spoke = self.monotonic()
            elif self.monotonic() - spoke >= _HEARTBEAT_SECONDS:
                yield None
                spoke = self.monotonic()
