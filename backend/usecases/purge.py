"""Remove what nothing refers to any more: pictures, tombstones, receipts, files of imports. Safe to run at any time."""

import logging
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

from backend.ports import BlobStore, Catalog, Clock, ImportFiles, Jobs, Receipts, VectorStore

log = logging.getLogger(__name__)

_HASHES_PER_QUESTION = 500  # one statement; a million pictures are 2,000 of them


@dataclass(frozen=True)
class Purge:
    """`grace`: how long something unused is kept, for an upload under way may be about to use it."""

    catalog: Catalog
    jobs: Jobs
    receipts: Receipts
    blobs: BlobStore
    files: ImportFiles
    vectors: VectorStore
    clock: Clock
    grace: timedelta
    tombstones: timedelta

    def __call__(self) -> int:
        """How many pictures were removed. Raises `Unavailable` when a part is down; what was removed stays removed."""
        before = self.clock() - self.grace
        removed = 0
        unused = self.blobs.unused_since(before)
        while some := list(islice(unused, _HASHES_PER_QUESTION)):
            for content_hash in set(some) - self.catalog.referenced(some):
                # An upload that came in between has put the bytes again, and the store then keeps them.
                removed += self.blobs.discard(content_hash, unused_since=before)
        wanted = self.jobs.unread_sources()
        for name in self.files.names_before(before):
            if name not in wanted:
                self.files.delete(name)
        self.vectors.purge_tombstones(self.clock() - self.tombstones)
        self.receipts.forget_receipts()
        if removed:
            log.info("removed %d pictures no product has any more", removed)
        return removed
