"""Try the failed rows of a job again, or stop what has not started."""

from dataclasses import dataclass

from backend.domain.job import Cancelled, Retried
from backend.domain.work import Work
from backend.errors import JobNotFound
from backend.ports import Doorbell, Jobs


@dataclass(frozen=True)
class RetryJob:
    """Makes the failed products of a job due again; see `backend.ports.Jobs.retry` for those that are left."""

    jobs: Jobs
    doorbell: Doorbell

    def __call__(self, merchant: str, job_id: str) -> Retried:
        """Raises `JobNotFound`, also for another merchant's job."""
        retried = self.jobs.retry(merchant, job_id)
        if retried is None:
            raise JobNotFound
        for work in Work:
            self.doorbell.ring(work)
        return retried


@dataclass(frozen=True)
class CancelJob:
    """Reads no further rows and withdraws new products nobody has taken up. The import's file goes with the purge."""

    jobs: Jobs
    doorbell: Doorbell

    def __call__(self, merchant: str, job_id: str) -> Cancelled:
        """Raises `JobNotFound`, also for another merchant's job."""
        cancelled = self.jobs.cancel(merchant, job_id)
        if cancelled is None:
            raise JobNotFound
        self.doorbell.ring(Work.FACTS)
        self.doorbell.ring_imports()  # nothing is read, but a file that is open between two turns is let go
        return cancelled
