"""Step before reconciling for pictures that are still at the addresses their merchants gave: fetch, check, store."""

import logging
import random
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError, Executor, wait
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from backend.domain.picture import Picture, PictureState
from backend.domain.product import ProductRecord
from backend.domain.work import Claim, Fetching, Remembered, Work
from backend.errors import ImageNotFound, ShelfsightError, Unavailable, UnfetchablePicture, UnreadableImage
from backend.ports import BlobStore, Catalog, Clock, Doorbell, FetchMemory, Ledger, PictureFetcher, PictureReader
from backend.usecases.crew import Crew
from backend.usecases.ring_for_what_waits import ring_for_what_waits

log = logging.getLogger(__name__)

PRODUCTS_PER_BATCH = 8  # a slow host holds up a batch: small ones hold up little

Fetches = Mapping[str, Remembered | ShelfsightError]
"""Address -> what it gave, or why it gave nothing."""


@dataclass(frozen=True)
class FetchRules:
    """`tries` in all; the pause after the first, doubling with each; how long an address is not asked again."""

    tries: int
    backoff: timedelta
    fresh: timedelta


@dataclass(frozen=True)
class FetchPictures:
    """One batch: claim, fetch each address once, note what came, hand on."""

    catalog: Catalog
    ledger: Ledger
    memory: FetchMemory
    fetcher: PictureFetcher
    reader: PictureReader
    blobs: BlobStore
    doorbell: Doorbell
    clock: Clock
    executor: Executor
    crew: Crew
    rules: FetchRules
    lease_seconds: float

    def __call__(self) -> int:
        """How many products were handled. Raises `Unavailable` when a part of ours is down; claims are given back."""
        with self.crew.claims(PRODUCTS_PER_BATCH) as claims:
            if not claims:
                return 0
            if len(claims) == PRODUCTS_PER_BATCH:
                self.doorbell.ring(Work.FETCH)
            self._handle(claims)
        ring_for_what_waits(self.ledger, self.doorbell)
        return len(claims)

    def _handle(self, claims: Sequence[Claim]) -> None:
        records = {record.product.key: record for record in self.catalog.products([claim.key for claim in claims])}
        due = [(it, records[it.key]) for it in claims if it.key in records and records[it.key].version == it.version]
        fetches = self._fetch({picture.url for _, record in due for picture in _unfetched(record)}, claims)
        self.memory.remember([item for item in fetches.values() if isinstance(item, Remembered)])
        self.ledger.record_fetches([self._fetching(claim, record, fetches) for claim, record in due])
        current = {claim.key for claim, _ in due}
        self.ledger.release([claim for claim in claims if claim.key not in current])

    def _fetch(self, urls: set[str | None], claims: Sequence[Claim]) -> Fetches:
        """All addresses at once, each once; the leases are renewed while hosts take their time.

        Raises `Unavailable` when a part is down, or when the fetches are called off because the process ends.
        """
        wanted = sorted(url for url in urls if url)
        known = self.memory.recall(wanted)
        try:
            futures = {url: self.executor.submit(self._get, url, known.get(url)) for url in wanted}
        except RuntimeError as err:  # an executor's word for being shut down; what had begun stores at most a picture
            raise Unavailable("the worker is shutting down") from err
        # `wait` alone would wait for ever: to it, what was called off before it began is not done.
        while waiting := [future for future in futures.values() if not future.done()]:
            if wait(waiting, timeout=self.lease_seconds / 3).not_done:
                self.ledger.renew(claims, self.lease_seconds)
        try:
            return {url: future.result() for url, future in futures.items()}
        except CancelledError as err:
            raise Unavailable("the worker is shutting down") from err

    def _get(self, url: str, known: Remembered | None) -> Remembered | ShelfsightError:
        """What the address gives now. What nobody foresaw is the address's fault too: it must not cost the batch."""
        try:
            return self._got(url, known)
        except (UnfetchablePicture, UnreadableImage) as err:
            return err
        except Unavailable:
            raise
        except Exception as err:
            log.exception("fetching %s failed", url.partition("?")[0])  # a query may hold a key to the picture
            return ShelfsightError(f"{type(err).__name__} while fetching; see the log")

    def _got(self, url: str, known: Remembered | None) -> Remembered:
        """Its bytes are stored, and marked as in use, when this returns."""
        stored = self._stored(known)
        # An age below 0 is that of a clock that was set back since: it would stay fresh until the clock has caught up.
        if known and stored is not None and timedelta(0) <= self.clock() - known.fetched_at < self.rules.fresh:
            return known
        fetched = self.fetcher.fetch(
            url,
            etag=known.etag if known and stored is not None else None,
            last_modified=known.last_modified if known and stored is not None else None,
        )
        if fetched.data is None:
            if known is None or stored is None:
                raise UnfetchablePicture("the host says `not modified` of a picture it was never asked for")
            return replace(known, fetched_at=self.clock())
        self.reader.inspect(fetched.data)
        content_hash = self.blobs.put(fetched.data)
        return Remembered(url, content_hash, fetched.etag, fetched.last_modified, self.clock())

    def _stored(self, known: Remembered | None) -> str | None:
        """The stored bytes of what is known, put again so that no purge takes them; None when there are none."""
        if known is None:
            return None
        try:
            return self.blobs.put(self.blobs.get(known.content_hash))
        except ImageNotFound:
            return None

    def _fetching(self, claim: Claim, record: ProductRecord, fetches: Fetches) -> Fetching:
        last = claim.fetches + 1 >= self.rules.tries
        pictures = tuple(_fetched(picture, fetches, last=last) for picture in record.pictures)
        left = [fetches[picture.url] for picture in pictures if picture.unfetched and picture.url]
        tried = any(isinstance(why, UnfetchablePicture) and why.tried for why in left)
        return Fetching(claim, pictures, self._again_at(claim.fetches) if left else None, tried)

    def _again_at(self, fetches: int) -> datetime:
        """Back-off with jitter: a host that comes back must not meet all that waited for it at one moment."""
        doublings = min(fetches, self.rules.tries)  # beyond that only what was never tried is put back
        return self.clock() + self.rules.backoff * (2.0**doublings) * random.uniform(0.5, 1.5)  # noqa: S311 - no secret


def _unfetched(record: ProductRecord) -> list[Picture]:
    return [picture for picture in record.pictures if picture.unfetched]


def _fetched(picture: Picture, fetches: Fetches, *, last: bool) -> Picture:
    if not picture.unfetched or picture.url is None:
        return picture
    found = fetches[picture.url]
    if isinstance(found, Remembered):
        return replace(picture, content_hash=found.content_hash)
    if isinstance(found, UnfetchablePicture) and found.transient and not (last and found.tried):
        return picture
    return replace(picture, state=PictureState.FAILED, code=found.code, detail=found.detail)
