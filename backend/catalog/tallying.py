"""The counts of jobs, kept as their items change: in the same transaction, so they are exact at every moment."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, case, func, null, select, update

from backend.catalog.rows import counter_of, in_order
from backend.catalog.tables import jobs
from backend.domain.job import ItemState


@dataclass(slots=True)
class Tally:
    """What a transaction changes about one job. `worked`: whether a worker settled an item of it."""

    items: Counter[ItemState] = field(default_factory=Counter)
    embedded: int = 0
    reused: int = 0
    worked: bool = False

    def move(self, before: ItemState, now: ItemState) -> None:
        """One item has another state."""
        self.items[before] -= 1
        self.items[now] += 1


def write_tallies(connection: Connection, tallies: Mapping[str, Tally], now: datetime) -> None:
    """Change the counters, and set the end of each job that has ended now: all rows known and none waiting.

    The rows are changed in the order of their ids: two transactions never wait for each other in a circle. Whoever
    settles a job's last item sees the counter as the others left it, because the row is theirs until they commit.
    """
    if tallies:
        connection.execute(_WRITE, [_columns(job_id, tallies[job_id], now) for job_id in sorted(tallies)])


def lock_jobs(connection: Connection, job_ids: Iterable[str]) -> None:
    """Hold these jobs until the end of the transaction, for one that changes a job before it writes its tallies."""
    ordered = sorted(job_ids)
    for start in range(0, len(ordered), _JOBS_PER_STATEMENT):
        some = jobs.c.job_id.in_(ordered[start : start + _JOBS_PER_STATEMENT])
        held = select(jobs.c.job_id).where(some).order_by(*in_order(connection, jobs))
        connection.execute(held.with_for_update(key_share=True)).all()


def _columns(job_id: str, tally: Tally, now: datetime) -> dict[str, Any]:
    counts = {f"plus_{state}": tally.items[state] for state in ItemState}
    pictures = {"plus_embedded": tally.embedded, "plus_reused": tally.reused}
    return {"of_job": job_id, **counts, **pictures, "worked_at": now if tally.worked else None, "at": now}


_JOBS_PER_STATEMENT = 1_000  # as many parameters, see `rows.KEYS_PER_STATEMENT`

_moment = jobs.c.created_at.type
_worked_at = bindparam("worked_at", type_=_moment)
_none_waits = counter_of(ItemState.PENDING) + bindparam(f"plus_{ItemState.PENDING}") == 0
_WRITE = (
    update(jobs)
    .where(jobs.c.job_id == bindparam("of_job"))
    .values(
        {counter_of(state): counter_of(state) + bindparam(f"plus_{state}") for state in ItemState}
        | {
            jobs.c.embedded: jobs.c.embedded + bindparam("plus_embedded"),
            jobs.c.reused: jobs.c.reused + bindparam("plus_reused"),
            jobs.c.first_settled_at: func.coalesce(jobs.c.first_settled_at, _worked_at),
            jobs.c.last_settled_at: func.coalesce(_worked_at, jobs.c.last_settled_at),
            jobs.c.finished_at: case(
                (
                    jobs.c.total.is_not(None) & _none_waits,
                    func.coalesce(jobs.c.finished_at, bindparam("at", type_=_moment)),
                ),
                else_=null(),
            ),
        }
    )
)
