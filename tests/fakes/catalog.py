"""Catalog, ledger, jobs, receipts and the memory of fetches in dictionaries: one class, because they view one truth.

Held to the same contract tests as the SQL adapters. One lock stands for a transaction: what may be refused is checked
before anything is changed.
"""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from backend.domain.job import JobKind
from backend.domain.picture import PictureState
from backend.domain.product import ProductKey, ProductRecord
from backend.domain.work import Accepted, Change, KeptReceipt, Receipt, Remembered
from backend.errors import Conflict
from backend.ports import Clock
from tests.fakes.catalog_indexes import FakeIndexes
from tests.fakes.catalog_jobs import FakeJobs
from tests.fakes.catalog_ledger import FakeLedger
from tests.fakes.catalog_rows import hashes_of
from tests.fakes.catalog_state import RECEIPTS_LAST, CatalogState


class FakeCatalog(FakeLedger, FakeJobs, FakeIndexes):
    """See `backend.ports.Catalog`, `Ledger`, `Jobs`, `Receipts`, `FetchMemory`, `Indexes`. Safe to share by threads."""

    def __init__(self, clock: Clock, max_attempts: int = 2, weights: Mapping[str, int] | None = None) -> None:
        state = CatalogState(clock)
        FakeLedger.__init__(self, state, max_attempts, weights or {})
        FakeIndexes.__init__(self, state)

    # --- Catalog ------------------------------------------------------------------------------------------------------

    def accept(self, changes: Sequence[Change], kind: JobKind, receipt: Receipt | None = None) -> list[Accepted]:
        if not changes:
            return []
        [merchant, *others] = {change.key.merchant for change in changes}
        if others or len({change.row for change in changes}) < len(changes):
            raise ValueError("the changes of a job belong to one merchant and to different rows")
        with self._state.lock:
            self._state.check_receipt(receipt)  # first: what the first request changed must not refuse its repetition
            self._state.check(changes, Conflict)
            now = self._state.clock()
            job = self._state.new_job(merchant, kind, len(changes), receipt, now)
            return [self._state.accept(change, job, now) for change in changes]

    def product(self, key: ProductKey) -> ProductRecord | None:
        with self._state.lock:
            row = self._state.rows.get(key)
            return row.shown if row else None

    def products(self, keys: Sequence[ProductKey]) -> list[ProductRecord]:
        with self._state.lock:
            return [self._state.rows[key].shown for key in set(keys) if key in self._state.rows]

    def owns_image(self, merchant: str, content_hash: str) -> bool:
        with self._state.lock:
            return any(content_hash in hashes_of(row.record.pictures) for row in self._state.of(merchant))

    def referenced(self, content_hashes: Sequence[str]) -> set[str]:
        with self._state.lock:
            shown: set[str] = set().union(*(hashes_of(row.record.pictures) for row in self._state.of(None)))
            return shown.intersection(content_hashes)

    def deleted_but_indexed(self, merchant: str, limit: int) -> list[str]:
        with self._state.lock:
            gone = (row for row in self._state.of(merchant) if row.record.deleted and (row.due or row.record.code))
            return [row.key.product_id for row in itertools.islice(gone, limit)]

    def count(self, merchant: str | None = None) -> Mapping[str, int]:
        with self._state.lock:
            live = [row.record for row in self._state.of(merchant) if not row.record.deleted]
        counts = Counter(record.state.value for record in live)
        shown = sum(picture.state is PictureState.SEARCHABLE for record in live for picture in record.pictures)
        return {**{name: counts[name] for name in ("pending", "searchable", "failed")}, "pictures": shown}

    def ping(self) -> None:
        """Always there."""

    # --- Receipts -----------------------------------------------------------------------------------------------------

    def receipt(self, merchant: str, key: str) -> KeptReceipt | None:
        with self._state.lock:
            return self._state.kept(merchant, key)

    def keep_answer(self, receipt: Receipt, status: int, answer: str) -> None:
        with self._state.lock:
            kept, since = self._state.receipts.get((receipt.merchant, receipt.key), (None, None))
            if kept is not None and since is not None and kept.receipt == receipt:
                answered = replace(kept, status=status, answer=answer)
                self._state.receipts[receipt.merchant, receipt.key] = answered, since

    def forget_receipts(self) -> int:
        with self._state.lock:
            before = self._state.clock() - RECEIPTS_LAST
            old = [name for name, (_, since) in self._state.receipts.items() if since < before]
            for name in old:
                del self._state.receipts[name]
            return len(old)

    # --- FetchMemory --------------------------------------------------------------------------------------------------

    def recall(self, urls: Sequence[str]) -> Mapping[str, Remembered]:
        with self._state.lock:
            return {url: self._state.addresses[url] for url in urls if url in self._state.addresses}

    def remember(self, fetched: Sequence[Remembered]) -> None:
        with self._state.lock:
            self._state.addresses.update({known.url: known for known in fetched})

    def forget_addresses(self, before: datetime) -> int:
        with self._state.lock:
            old = [url for url, known in self._state.addresses.items() if known.fetched_at <= before]
            for url in old:
                del self._state.addresses[url]
            return len(old)
