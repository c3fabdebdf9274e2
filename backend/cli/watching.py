"""Jobs under way, as a progress bar, while their catalog is still being sent and after."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

import httpx
from rich.progress import Progress

from backend.cli.client import RETRY_SECONDS, Api, ApiError, Busy

POLL_SECONDS = 0.25
POLL_SHARE = 20
POLL_SECONDS_MOST = 1.0
"""Jobs are asked for each of so many parts of the time that is left, within these two: the end is seen as it comes, and
a long import is not asked four times a second, each of which costs both sides some 8 ms a job."""
PATIENCE_SECONDS = 900.0
"""How long a server may say "later" while no row moves: longer than it takes to start one anew, no night long."""

_LATER = (Busy, httpx.TransportError)
Answer = TypeVar("Answer")


class Watched:
    """The jobs of a catalog and the bar that shows them. A finished job is not asked again."""

    def __init__(self, api: Api, progress: Progress, total: int | None, started: float) -> None:
        """`total`: rows of the catalog, None where only the server will know."""
        self.jobs: dict[str, list[int] | None] = {}
        self.done: dict[str, dict[str, int]] = {}
        self._api = api
        self._progress = progress
        self._total = total
        self._started = started
        self._task = progress.add_task("reading", total=total, pace="")
        self._settled = 0
        self._moved_at = time.monotonic()
        self._waits = False
        self._seconds_left = 0.0

    @property
    def pause(self) -> float:
        """Seconds until another look is worth its while."""
        return max(POLL_SECONDS, min(self._seconds_left / POLL_SHARE, POLL_SECONDS_MOST))

    def persist(self, call: Callable[[], Answer]) -> Answer:
        """The answer to a call, made again while the server says "later" or nothing; jobs are followed meanwhile.

        Raises what the call raises, `Busy` and httpx's own errors only once no row has moved for `PATIENCE_SECONDS`.
        """
        self._moved_at = time.monotonic()
        try:
            while True:
                try:
                    return call()
                except _LATER as err:
                    if time.monotonic() - self._moved_at > PATIENCE_SECONDS:
                        raise
                    self._waits = True
                    self._bide(err.retry_seconds if isinstance(err, Busy) else RETRY_SECONDS)
        finally:
            self._waits = False

    def _bide(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        with suppress(*_LATER):
            while time.monotonic() < until:
                self.look()
                time.sleep(self.pause)
        time.sleep(max(until - time.monotonic(), 0.0))

    def look(self) -> bool:
        """Bring the bar up to date; whether every job is done. Raises `ApiError` when one could not be read on."""
        settled = 0
        last: dict[str, Any] = {}
        for job_id in self.jobs:
            if job_id not in self.done:
                last = self._api.get(f"/v1/jobs/{job_id}")
                if last["code"]:
                    raise ApiError({"code": last["code"], "detail": f"the import stopped: {last['detail']}"})
                if last["done"]:
                    self.done[job_id] = last["counts"]
                else:
                    settled += _settled(last["counts"])
        settled += sum(_settled(counts) for counts in self.done.values())
        if settled != self._settled:
            self._settled, self._moved_at = settled, time.monotonic()
        total = self._total if self._total is not None else last.get("total")
        rate = self._rate(settled, last)
        left = (total - settled) / rate if total and rate else last.get("eta_seconds")
        self._seconds_left = left or 0.0
        self._progress.update(
            self._task,
            description="waiting for the server" if self._waits else "indexing",
            completed=settled,
            total=total,
            pace=_pace(rate, left),
        )
        return len(self.done) == len(self.jobs)

    def _rate(self, settled: int, job: Mapping[str, Any]) -> float:
        """Rows a second: by the job where it says so, else by the clock."""
        return float(job.get("rate") or settled / max(time.monotonic() - self._started, 1e-3))


def _pace(rate: float, left: float | None) -> str:
    return f"{rate:.1f}/s" + (f", {left:.0f} s left" if left else "")


def _settled(counts: Mapping[str, int]) -> int:
    return sum(count for state, count in counts.items() if state != "pending")
