"""Remove what nothing refers to any more, and what is older than anybody asks for. Safe to run at any time."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from backend.errors import Unavailable
from backend.ports import BlobStore, Catalog, Clock, FetchMemory, ImportFiles, Jobs, Receipts, VectorStore
from backend.usecases.snapshot_index import SnapshotIndex

log = logging.getLogger(__name__)

_HASHES_PER_QUESTION = 500  # one statement; a million pictures are 2,000 of them
_COPY_KEPT = timedelta(hours=1)  # a backup fetches its copy at once; the index's size on the disk is gone meanwhile
_ADDRESSES_KEPT = timedelta(days=30)  # feeds are sent daily or weekly; what is forgotten costs one full download


@dataclass(frozen=True)
class Purge:
    """`grace`: how long something unused is kept, for an upload under way may be about to use it."""

    catalog: Catalog
    jobs: Jobs
    receipts: Receipts
    memory: FetchMemory
    blobs: BlobStore
    files: ImportFiles
    vectors: VectorStore
    copies: SnapshotIndex
    clock: Clock
    grace: timedelta
    tombstones: timedelta
    finished_jobs: timedelta

    def __call__(self) -> int:
        """How many pictures were removed. Raises `Unavailable` when a part was down, after all that could be done.

        Each step is on its own, the cheap ones first: a directory that cannot be read must not keep tombstones and
        jobs for ever.
        """
        failures: list[Unavailable] = []
        removed = 0  # by the step done last, which is that of the pictures
        cheap = (self._copies, self._tombstones, self._receipts, self._addresses, self._jobs)
        for step in (*cheap, self._files, self._pictures):
            try:
                removed = step()
            except Unavailable as err:
                log.warning("a part of the purge has to wait: %s", err)
                failures.append(err)
        if failures:
            raise failures[0]
        return removed

    def _copies(self) -> int:
        removed = self.copies.forget(self.clock() - _COPY_KEPT)
        if removed:
            log.info("removed a copy of the index that no backup fetched")
        return removed

    def _tombstones(self) -> int:
        self.vectors.purge_tombstones(self.clock() - self.tombstones)
        return 0

    def _receipts(self) -> int:
        return self.receipts.forget_receipts()

    def _addresses(self) -> int:
        return self.memory.forget_addresses(self.clock() - _ADDRESSES_KEPT)

    def _jobs(self) -> int:
        removed = self.jobs.forget_finished(self.clock() - self.finished_jobs)
        if removed:
            log.info("removed %d jobs that ended long ago", removed)
        return removed

    def take_over(self) -> None:
        """At a start where nobody else works on these files, before anything is received: what no import reads is of a
        process that was ended between the last row and the end of the file, or before there was a job.
        """
        self._files(self.clock() + self.grace)  # whatever the clock said when they were written

    def _files(self, before: datetime | None = None) -> int:
        wanted = self.jobs.unread_sources()
        names = self.files.names_before(before or self.clock() - self.grace)
        unwanted = [name for name in names if name not in wanted]
        for name in unwanted:
            self.files.delete(name)
        return len(unwanted)

    def _pictures(self) -> int:
        before = self.clock() - self.grace
        removed = 0
        unused = self.blobs.unused_since(before)
        while some := list(islice(unused, _HASHES_PER_QUESTION)):
            for content_hash in set(some) - self.catalog.referenced(some):
                # An upload that came in between has put the bytes again, and the store then keeps them.
                removed += self.blobs.discard(content_hash, unused_since=before)
        if removed:
            log.info("removed %d pictures no product has any more", removed)
        return removed
