"""Read on in a file of products, step by step.

Each step is one transaction with the place to go on, so an import goes on where it was after any interruption.
"""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from backend.domain.base64_text import picture_bytes
from backend.domain.importing import ImportClaim, ImportStep, PictureRef, Row
from backend.domain.job import ItemState, JobItem
from backend.domain.product import Product, ProductKey
from backend.domain.product_facts import patched
from backend.domain.work import Change, Work
from backend.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    Poison,
    ProductNotFound,
    ShelfsightError,
    StaleRows,
    TooManyRows,
    Unavailable,
)
from backend.ports import Catalog, Doorbell, ImportFiles, Jobs, Manifest, ManifestReader
from backend.usecases.admit import Admit
from backend.usecases.keep_pictures import KeepPictures, Upload
from backend.usecases.read_product import ReadImage

log = logging.getLogger(__name__)

Versions = dict[ProductKey, tuple[Product, int]]
"""Products as the rows of a step leave them, and the version each then has."""


@dataclass(frozen=True)
class UnderstandRows:
    """Rows -> changes and refusals. Stores the pictures that came along; addresses are fetched later."""

    catalog: Catalog
    keep_pictures: KeepPictures
    read_image: ReadImage
    max_picture_bytes: int
    default_currency: str

    def __call__(self, merchant: str, manifest: Manifest, rows: Sequence[Row]) -> tuple[list[Change], list[JobItem]]:
        """Each row on its own: a bad one is an item of the ledger, never the end of the import."""
        known = self._known(merchant, rows)
        changes: list[Change] = []
        refused: list[JobItem] = []
        for row in rows:
            try:
                changes.append(self._change(merchant, manifest, row, known))
            except (InvalidInput, NotFound) as err:
                refused.append(refusal(row, err))
        return changes, refused

    def _known(self, merchant: str, rows: Sequence[Row]) -> Versions:
        keys = [ProductKey(merchant, row.product_id) for row in rows if row.patch is not None and row.product_id]
        records = self.catalog.products(keys) if keys else []
        return {it.product.key: (it.product, it.version) for it in records if not it.deleted}

    def _change(self, merchant: str, manifest: Manifest, row: Row, known: Versions) -> Change:
        if row.error is not None:
            raise row.error
        if row.patch is not None and row.product_id is not None:
            return self._patch(ProductKey(merchant, row.product_id), row, known)
        if row.product is None:
            raise InvalidInput("the row names no product")
        uploads = [self._upload(merchant, manifest, ref, n) for n, ref in enumerate(row.pictures)]
        return Change(row.product.key, row.product, self.keep_pictures(uploads), row=row.number, line=row.line)

    def _patch(self, key: ProductKey, row: Row, known: Versions) -> Change:
        if key not in known or row.patch is None:
            raise ProductNotFound(
                f"{key.product_id} is not there: a patch changes products that are", field="product_id"
            )
        product, version = known[key]
        product = patched(product, row.patch, default_currency=self.default_currency)
        known[key] = product, version + 1  # a later row of the same product builds on this one
        return Change(key, product, row=row.number, expected_version=version, line=row.line)

    def _upload(self, merchant: str, manifest: Manifest, ref: PictureRef, number: int) -> Upload:
        field_name = f"images[{number}]"
        if ref.url is not None:
            return Upload(ref.url, url=ref.url)
        if (image_id := ref.image_id) is not None:
            self.read_image.check(merchant, image_id)
            return Upload(image_id, lambda: self.read_image.original(merchant, image_id))
        if (text := ref.data) is not None:
            data = picture_bytes(text, field_name, max_bytes=self.max_picture_bytes)
            return Upload(field_name, lambda: data)
        entry = ref.entry or ""
        return Upload(entry, lambda: manifest.picture(entry))


@dataclass(frozen=True)
class ImportProducts:
    """Read on in one import for a while.

    `rows_per_step` rows share a transaction: 64 keep a commit's cost below a tenth of the step's. `seconds`: after that
    another import has its turn, and a worker can stop. One import at a time per process, so that reading never takes
    all of its processors.
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
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _owed: list[ImportClaim] = field(default_factory=list)

    def __call__(self) -> bool:
        """Whether an import was due and this process took part of it. Raises `Unavailable`; nothing is lost then."""
        if not self._turn.acquire(blocking=False):
            return False
        try:
            while self._owed:  # an attempt that an outage ended must not count
                self.jobs.yield_import(self._owed[-1])
                self._owed.pop()
            claim = self.jobs.claim_import(self.lease_seconds)
            if claim is None:
                return False
            if self.admit.full(claim.merchant):  # reading waits until workers have caught up; the sweep rings again
                self.jobs.yield_import(claim)
                return False
            self._take(claim)
        finally:
            self._turn.release()
        if self.jobs.imports_due():
            self.doorbell.ring_imports()
        return True

    def _take(self, claim: ImportClaim) -> None:
        try:
            self._read_on(claim)
        except InvalidInput as err:  # the file itself is at fault, or gone
            self.jobs.fail_import(claim, err.code, err.detail)
            self.files.delete(claim.source)
        except Conflict:  # the lease ran out and another worker goes on, or it was cancelled; this step was not kept
            log.warning("import %s was taken over or cancelled", claim.job_id)
        except Unavailable:
            self._owed.append(claim)
            raise

    def _read_on(self, claim: ImportClaim) -> None:
        until = time.monotonic() + self.seconds
        with (
            self.files.open(claim.source) as source,
            self.manifests.open(source, claim.merchant, claim.options) as manifest,
        ):
            rows = manifest.rows(first=claim.next_row)
            next_row = claim.next_row
            for size in self._sizes(claim):
                some = list(islice(rows, size))
                if some and some[-1].number > self.max_rows:
                    raise TooManyRows(f"more than {self.max_rows} rows")
                if claim.attempts > self.max_attempts and next_row == claim.next_row and some:
                    some = [_poisoned(some[0])]
                step = self._keep(claim, manifest, some, next_row, last=len(some) < size)
                next_row = step.next_row
                if step.total is not None:
                    break
                if time.monotonic() > until or self.admit.full(claim.merchant):
                    self.jobs.yield_import(claim)
                    return
        self.files.delete(claim.source)

    def _sizes(self, claim: ImportClaim) -> Iterator[int]:
        """Rows per step. After a lost worker one by one, so that the row that ends workers is alone when it does."""
        if claim.attempts > 1:
            yield from (1 for _ in range(self.rows_per_step))
        while True:
            yield self.rows_per_step

    def _keep(
        self, claim: ImportClaim, manifest: Manifest, rows: list[Row], next_row: int, *, last: bool
    ) -> ImportStep:
        """Record the rows. A product of a patch that moved on meanwhile is read again."""
        following = rows[-1].number + 1 if rows else next_row
        total = following - 1 if last else None
        while True:
            changes, refused = self.understand(claim.merchant, manifest, rows)
            step = ImportStep(claim.job_id, claim.lease, tuple(changes), tuple(refused), following, total)
            try:
                self.jobs.record_import(step, lease_seconds=self.lease_seconds)
            except StaleRows:
                continue  # each turn means that somebody else's change was kept
            self._ring(changes)
            return step

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


def refusal(row: Row, err: ShelfsightError) -> JobItem:
    """The ledger's entry of a row that is not taken."""
    name = err.errors[0].field if err.errors else None
    return JobItem(
        row.number, row.product_id, ItemState.FAILED, field=name, code=err.code, detail=err.detail, line=row.line
    )


def _poisoned(row: Row) -> Row:
    return Row(row.number, row.product_id, error=_PoisonedRow(), line=row.line)


class _PoisonedRow(InvalidInput):
    code = Poison.code
    mend = Poison.mend
