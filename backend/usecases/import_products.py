"""Read on in a file of products, step by step.

Each step is one transaction with the place to go on, so an import goes on where it was after any interruption.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from backend.domain.importing import ImportClaim, ImportStep, Row
from backend.domain.work import Change, Work
from backend.errors import Conflict, InvalidInput, Poison, ShelfsightError, StaleRows, Unavailable
from backend.ports import Doorbell, ImportFiles, Jobs, ManifestReader
from backend.usecases.admit import Admit
from backend.usecases.read_rows import Lease, ReadRows, Some
from backend.usecases.understand_rows import UnderstandRows

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ImportProducts:
    """Read on in one import for a while.

    `rows_per_step` rows share a transaction: 64 keep a commit's cost below a tenth of the step's. `seconds`: after that
    another import has its turn, and a worker can stop. One import at a time per process, so that reading never takes
    all of its processors. Its file stays open after the turn: the next one would have to read again all that was read,
    and beyond some hundred thousand rows would do little else.
    """

    manifests: ManifestReader
    understand: UnderstandRows
    files: ImportFiles
    jobs: Jobs
    doorbell: Doorbell
    admit: Admit
    lease_seconds: float
    max_attempts: int
    max_rows: int
    rows_per_step: int = 64
    seconds: float = 10.0
    monotonic: Callable[[], float] = time.monotonic
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _owed: list[ImportClaim] = field(default_factory=list)
    _left: list[ReadRows] = field(default_factory=list)  # the last turn's file, if there is more in it

    def __call__(self) -> bool:
        """Whether an import was due and this process took part of it. Raises `Unavailable`; nothing is lost then."""
        if not self._turn.acquire(blocking=False):
            return False
        try:
            while self._owed:  # an attempt that an outage ended must not count
                self.jobs.yield_import(self._owed[-1])
                self._owed.pop()
            if not self._took_one():
                return False
        finally:
            self._turn.release()
        if self.jobs.imports_due():
            self.doorbell.ring_imports()
        return True

    def close(self) -> None:
        """Let go of the file that is open between two turns."""
        if self._turn.acquire(blocking=False):
            try:
                self._let_go()
            finally:
                self._turn.release()

    def _took_one(self) -> bool:
        """The first import in turn whose merchant's queue has room: the full queues of others hold nobody up."""
        passed: set[str] = set()
        while (claim := self.jobs.claim_import(self.lease_seconds)) is not None:
            if self._take(claim):
                return True
            if claim.job_id in passed:  # reading waits until workers have caught up; the sweep rings again
                return False
            passed.add(claim.job_id)
        if not passed:
            self._let_go()
        return False

    def _take(self, claim: ImportClaim) -> bool:
        """Whether it was read, well or not."""
        next_row = claim.next_row
        try:
            if self.admit.full(claim.merchant):
                self.jobs.yield_import(claim)
                return False
            for next_row in self._read_on(claim):
                log.debug("import %s is kept up to row %d", claim.job_id, next_row - 1)
        except InvalidInput as err:  # the file itself is at fault, or gone
            self._fail(claim, err)
        except Conflict:  # the lease ran out and another worker goes on, or it was cancelled; this step was not kept
            log.warning("import %s was taken over or cancelled", claim.job_id)
        except Unavailable:
            self._owed.append(claim)
            raise
        except Exception:  # a fault of ours at this file: it may pass, so the lease runs out and counts as an attempt
            log.exception("import %s stopped at row %d or after it", claim.job_id, next_row)
            if claim.attempts > self.max_attempts and next_row == claim.next_row:
                self._fail(claim, ShelfsightError(f"the server failed at row {next_row} or after it"))
        return True

    def _fail(self, claim: ImportClaim, err: ShelfsightError) -> None:
        self.jobs.fail_import(claim, err.code, err.detail)
        self.files.delete(claim.source)

    def _read_on(self, claim: ImportClaim) -> Iterator[int]:
        """The place to go on, after each step that was kept."""
        until: float | None = None
        with ExitStack() as ends:
            rows = ends.enter_context(self._rows(claim))
            for size in self._sizes(claim):
                done = self._step(claim, rows, size)
                yield rows.next_row
                if done:
                    break
                # A turn begins with the first row: however long it took to skip the others, each turn gets somewhere.
                if until is None:
                    until = self.monotonic() + self.seconds
                if self.monotonic() >= until or self.admit.full(claim.merchant):
                    self.jobs.yield_import(claim)
                    self._left.append(rows)
                    ends.pop_all()
                    return
        self.files.delete(claim.source)

    def _rows(self, claim: ImportClaim) -> ReadRows:
        lease = Lease(self.jobs, claim, self.lease_seconds, self.monotonic)
        if self._left and self._left[-1].goes_on(lease):
            return self._left.pop()
        self._let_go()
        return ReadRows(self.files, self.manifests, lease, max_rows=self.max_rows)

    def _let_go(self) -> None:
        while self._left:
            self._left.pop().close()

    def _sizes(self, claim: ImportClaim) -> Iterator[int]:
        """Rows per step. After a lost worker one by one, so that the row that ends workers is alone when it does."""
        if claim.attempts > 1:
            yield from (1 for _ in range(self.rows_per_step))
        while True:
            yield self.rows_per_step

    def _step(self, claim: ImportClaim, rows: ReadRows, size: int) -> bool:
        """Whether it was the last. Raises what the file is at fault with, after what was read before is kept."""
        some = rows.some(size)
        if claim.attempts > self.max_attempts and rows.next_row == claim.next_row and some.rows:
            some.rows[0] = _poisoned(some.rows[0])
        if some.rows or some.broken is None:
            rows.next_row = self._kept(claim, rows, some)
        if some.broken is not None:
            raise some.broken
        return some.ended

    def _kept(self, claim: ImportClaim, rows: ReadRows, some: Some) -> int:
        """Record the rows; the row after them. A product of a patch that moved on meanwhile is read again."""
        following = some.rows[-1].number + 1 if some.rows else rows.next_row
        total = following - 1 if some.ended else None
        while True:
            changes, refused = self.understand(claim.merchant, rows.manifest, some.rows)
            step = ImportStep(claim.job_id, claim.lease, tuple(changes), tuple(refused), following, total)
            try:
                self.jobs.record_import(step, lease_seconds=self.lease_seconds)
            except StaleRows:
                continue  # each turn means that somebody else's change was kept
            self._ring(changes)
            return following

    def _ring(self, changes: Sequence[Change]) -> None:
        bells = {
            Work.FACTS
            if change.pictures is None
            else Work.FETCH
            if any(picture.unfetched for picture in change.pictures)
            else Work.IMPORTS
            for change in changes
        }
        for work in sorted(bells):
            self.doorbell.ring(work)


def _poisoned(row: Row) -> Row:
    return Row(row.number, row.product_id, error=_PoisonedRow(), line=row.line)


class _PoisonedRow(InvalidInput):
    code = Poison.code
    mend = Poison.mend
