"""Take in a file of products: the file is made durable at once, its rows are read by a worker, step by step.

Each step is one transaction with the place to go on, so an import goes on where it was after any interruption.
"""

import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import IO

from backend.domain.job import ItemState, JobItem
from backend.errors import Conflict, InvalidInput, ShelfsightError
from backend.ports import (
    Change,
    Doorbell,
    ImportClaim,
    ImportFiles,
    ImportStep,
    Jobs,
    Manifest,
    ManifestReader,
    Row,
)
from backend.usecases.keep_pictures import KeepPictures, Upload

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OpenImport:
    """Accept a file: checked as a whole, stored, and given a job."""

    manifests: ManifestReader
    files: ImportFiles
    jobs: Jobs
    doorbell: Doorbell

    def __call__(self, merchant: str, source: IO[bytes]) -> tuple[str, tuple[str, ...]]:
        """The job's id, and the columns that are ignored. Raises `InvalidArchive`, `MissingColumn`, `InvalidCsv`."""
        with self.manifests.open(source, merchant) as manifest:
            ignored = manifest.ignored_columns
        source.seek(0)
        job_id = self.jobs.open_import(merchant, self.files.keep(source))
        self.doorbell.ring_imports()
        return job_id, ignored


@dataclass(frozen=True)
class ImportProducts:
    """Read on in one import for a while.

    `rows_per_step` rows share a transaction: 64 keep a commit's cost below a tenth of the step's. `seconds`: after that
    another import has its turn. One import at a time per process, so that reconciling always has a thread left.
    """

    manifests: ManifestReader
    keep_pictures: KeepPictures
    files: ImportFiles
    jobs: Jobs
    doorbell: Doorbell
    lease_seconds: float
    rows_per_step: int = 64
    seconds: float = 5.0
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self) -> bool:
        """Whether an import was due and this process took part of it."""
        if not self._turn.acquire(blocking=False):
            return False
        try:
            claim = self.jobs.claim_import(self.lease_seconds)
            if claim is None:
                return False
            try:
                self._read_on(claim)
            except InvalidInput as err:  # the file itself is at fault, or gone
                self.jobs.fail_import(claim, err.code, err.detail)
                self.files.delete(claim.source)
            except Conflict:  # the lease ran out and another worker goes on with it; nothing of this step was kept
                log.warning("import %s was taken over by another worker", claim.job_id)
        finally:
            self._turn.release()
        if self.jobs.imports_due():
            self.doorbell.ring_imports()
        return True

    def _read_on(self, claim: ImportClaim) -> None:
        until = time.monotonic() + self.seconds
        with self.files.open(claim.source) as source, self.manifests.open(source, claim.merchant) as manifest:
            rows = manifest.rows(first=claim.next_row)
            next_row = claim.next_row
            while True:
                step = self._step(claim, manifest, list(islice(rows, self.rows_per_step)), next_row)
                self.jobs.record_import(step, lease_seconds=self.lease_seconds)
                self.doorbell.ring_products()
                next_row = step.next_row
                if step.total is not None:
                    break
                if time.monotonic() > until:
                    self.jobs.yield_import(claim)
                    return
        self.files.delete(claim.source)

    def _step(self, claim: ImportClaim, manifest: Manifest, rows: list[Row], next_row: int) -> ImportStep:
        changes: list[Change] = []
        refused: list[JobItem] = []
        for item in self._understood(manifest, rows):
            (changes if isinstance(item, Change) else refused).append(item)  # type: ignore[arg-type] # one list each
        following = rows[-1].number + 1 if rows else next_row
        total = following - 1 if len(rows) < self.rows_per_step else None
        return ImportStep(claim.job_id, claim.lease, tuple(changes), tuple(refused), following, total)

    def _understood(self, manifest: Manifest, rows: list[Row]) -> Iterator[Change | JobItem]:
        for row in rows:
            try:
                if row.error is not None:
                    raise row.error
                if row.product is None:
                    raise InvalidInput("the row names no product")
                uploads = [Upload(name, lambda name=name: manifest.picture(name)) for name in row.pictures]  # type: ignore[misc]
                yield Change(row.product.key, row.product, self.keep_pictures(uploads), row=row.number)
            except InvalidInput as err:
                yield _refusal(row, err)


def _refusal(row: Row, err: ShelfsightError) -> JobItem:
    name = err.errors[0].field if err.errors else None
    return JobItem(row.number, row.product_id, ItemState.FAILED, field=name, code=err.code, detail=err.detail)
