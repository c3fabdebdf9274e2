"""Show a job and its ledger to its own merchant."""

from dataclasses import dataclass

from backend.domain.job import ItemState, Job, JobItem
from backend.errors import JobNotFound
from backend.ports import Jobs


@dataclass(frozen=True)
class ReadJob:
    """A job's counts, and its items page by page."""

    jobs: Jobs

    def __call__(self, merchant: str, job_id: str) -> Job:
        """Raises `JobNotFound`, also for another merchant's job."""
        job = self.jobs.job(merchant, job_id)
        if job is None:
            raise JobNotFound
        return job

    def items(
        self, merchant: str, job_id: str, *, state: ItemState | None, after_row: int, limit: int
    ) -> list[JobItem]:
        """Items after a row number, in order. Raises `JobNotFound`."""
        self(merchant, job_id)
        return self.jobs.items(job_id, state=state, after_row=after_row, limit=limit)
