"""Everything the use cases ask of the outside. Adapters implement these; fakes are held to the same tests."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Protocol, Self

from backend.domain.filters import Filter
from backend.domain.generation import Generation, Told
from backend.domain.importing import ImportClaim, ImportOptions, ImportStep, Row
from backend.domain.job import Cancelled, ItemState, Job, JobItem, JobKind, Retried
from backend.domain.payload import Payload
from backend.domain.picture import PictureFacts, Pixels, Vector, Vectors
from backend.domain.product import ProductKey, ProductRecord
from backend.domain.query import Counted, Match, WordMatch
from backend.domain.words import WordField
from backend.domain.work import (
    Accepted,
    Backlog,
    Change,
    Claim,
    Fetching,
    KeptReceipt,
    Outcome,
    Receipt,
    Remembered,
    Work,
)

# --- pictures ---------------------------------------------------------------------------------------------------------


class PictureReader(Protocol):
    """Bytes -> picture. Every refusal is an `errors.UnreadableImage`."""

    def inspect(self, data: bytes) -> PictureFacts:
        """Check the header only (cheap enough for a request): format, bytes, pixels, sides, aspect."""
        ...

    def decode(self, data: bytes, min_side: int) -> Pixels:
        """Decode upright sRGB. The result may be smaller than the original, its short side not below `min_side`."""
        ...

    def thumbnail(self, data: bytes, width: int) -> bytes:
        """A JPEG at most `width` pixels wide, upright sRGB, without metadata. Never enlarges."""
        ...


class Puts(Protocol):
    """Where bytes are put that are to be durable together. Used by one thread at a time."""

    def put(self, data: bytes) -> str:
        """Store, and return the content hash. Same bytes, same key."""
        ...


class BlobStore(Protocol):
    """Original bytes by content hash (sha-256, hex). Raises `errors.BlobsUnavailable`."""

    def put(self, data: bytes) -> str:
        """Store durably (survives power loss once this returns) and return the content hash. Same bytes, same key."""
        ...

    def together(self) -> AbstractContextManager[Puts]:
        """What is put in the block is there, and durable, once it ends: of many the waiting for disk or network is
        shared. Of a block that raises, or whose end does, nothing need be there.
        """
        ...

    def get(self, content_hash: str) -> bytes:
        """The bytes. Raises `errors.ImageNotFound` when there are none."""
        ...

    def unused_since(self, before: datetime) -> Iterator[str]:
        """Content hashes that were last put before a moment, in no order; what is put meanwhile may be among them."""
        ...

    def discard(self, content_hash: str, *, unused_since: datetime) -> bool:
        """Remove the bytes unless they were put again since; whether they were removed. Never races with `put`."""
        ...


@dataclass(frozen=True, slots=True)
class Fetched:
    """What an address gave. `data` None: not changed since the validators that were sent."""

    data: bytes | None
    etag: str | None = None
    last_modified: str | None = None


class PictureFetcher(Protocol):
    """Pictures from addresses merchants name. Every refusal is an `errors.UnfetchablePicture`."""

    def check(self, url: str) -> None:
        """Refuse what can never be fetched, without touching the network: scheme, port, a host that is not public."""
        ...

    def fetch(self, url: str, *, etag: str | None = None, last_modified: str | None = None) -> Fetched:
        """The bytes, within every limit. An error with `transient` may pass by itself; others will not."""
        ...


class ImportFiles(Protocol):
    """Uploaded files of products, from their upload to their last row. Raises `errors.BlobsUnavailable`."""

    def keep(self, stream: IO[bytes]) -> str:
        """Store durably under a name of its own, which is returned: the same content twice is two files."""
        ...

    def adopt(self, name: str, stream: IO[bytes]) -> None:
        """Store durably under the name it was kept by elsewhere. Raises `ValueError` when that is none."""
        ...

    def open(self, name: str) -> IO[bytes]:
        """The file, seekable. Raises `errors.ImportFileMissing`."""
        ...

    def delete(self, name: str) -> None:
        """Remove the file; nothing happens when there is none."""
        ...

    def names_before(self, before: datetime) -> Iterator[str]:
        """Files kept before a moment."""
        ...


# --- files of products ------------------------------------------------------------------------------------------------


class Manifest(Protocol):
    """An open file of products and their pictures. Used in a `with` statement."""

    @property
    def dialect(self) -> str:
        """Whose columns these are: `shelfsight`, `shopify`, `woocommerce` or `google`."""
        ...

    @property
    def ignored_columns(self) -> tuple[str, ...]:
        """Columns that are no product's field; nothing was read from them."""
        ...

    def rows(self, *, first: int = 1) -> Iterator[Row]:
        """Rows from number `first` (1-based, one a product), each understood or refused on its own."""
        ...

    def picture(self, name: str) -> bytes:
        """The bytes of an entry beside the manifest. Raises `errors.PictureMissing` or an `UnreadableImage`."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...


class ManifestReader(Protocol):
    """Opens files of products."""

    def open(self, source: IO[bytes], merchant: str, options: ImportOptions) -> Manifest:
        """Check the file as a whole and open it. Raises an `errors.InvalidInput` of the file's kind."""
        ...


# --- embeddings -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Space:
    """The vector space of an encoder. Vectors of two spaces must never meet in one index.

    `model` is what a user would write in the setting; `fingerprint` hashes the weights and the preprocessing.
    """

    model: str
    dimension: int
    fingerprint: str


class Embedder(Protocol):
    """Pictures and texts -> vectors of one space. Safe to call from several threads."""

    @property
    def space(self) -> Space:
        """Name, dimension and fingerprint of this encoder."""
        ...

    @property
    def picture_side(self) -> int:
        """The short side in pixels that pictures should have at least, so that nothing the model sees is lost."""
        ...

    @property
    def how(self) -> str:
        """What it computes with on this machine, for people: `cpu, bfloat16, 2 threads, 8 pictures at once`."""
        ...

    def embed_images(self, pictures: Sequence[Pixels]) -> Vectors:
        """(n, dimension) float32, unit rows, in order. Deterministic: the same picture gives the same vector."""
        ...

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """(n, dimension) float32, unit rows, comparable with those of pictures by dot product."""
        ...


# --- the index --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Point:
    """One picture of one product in the index. `payload` holds the product's and the picture's facts."""

    point_id: str
    vector: Vector
    payload: Payload


@dataclass(frozen=True, slots=True)
class Tombstone:
    """Says that a product has had no such picture since `version`: a late writer with an older one must not bring it
    back. It belongs to nobody, so no query and no count finds it.
    """

    key: ProductKey
    content_hash: str
    version: int


class VectorSearch(Protocol):
    """What is asked of the index, always of one merchant's products under a filter. Deleted ones that the index has not
    followed yet are named by `exclude`. Raises `errors.IndexUnavailable` when the engine does not answer.
    """

    def nearest(
        self,
        merchant: str,
        vector: Vector,
        wanted: Filter,
        *,
        limit: int,
        exclude: Sequence[str] = (),
        exact: bool = False,
    ) -> list[Match]:
        """The `limit` best products, best first; `exact`: by whole vectors, whatever that takes.

        One match per product, its best picture deciding. Ties go by the ids of points: an order without meaning, which
        stays. A deeper call (greater `limit`) begins with the same matches, so pages cut from it neither repeat nor
        skip a product. Of more equal scores than an engine compares at once (hundreds) some come, the same for every
        `limit`.
        """
        ...

    def worded(
        self,
        merchant: str,
        terms: Sequence[str],
        wanted: Filter,
        *,
        limit: int,
        exclude: Sequence[str] = (),
        field: WordField = WordField.WORDS,
    ) -> list[WordMatch]:
        """The `limit` best products with any of the terms, by BM25, best first, ties by product id.

        `terms`: words for `WORDS`, pieces for `SPELLING` (see `backend.domain.words`). Where more products tie with the
        last than fit, which of them are there is the engine's choice; the same call gives the same on a still index.
        """
        ...

    def facet(
        self, merchant: str, field: str, wanted: Filter, *, limit: int, exclude: Sequence[str] = ()
    ) -> list[Counted]:
        """Products a value of a field of `FACET_FIELDS`, exactly; the `limit` most frequent, ties by value."""
        ...

    def count_products(self, merchant: str, wanted: Filter, *, exclude: Sequence[str] = ()) -> int:
        """How many products satisfy the filter, exactly."""
        ...

    def extremes(
        self, merchant: str, field: str, wanted: Filter, *, exclude: Sequence[str] = ()
    ) -> tuple[float, float] | None:
        """The least and the greatest of a number field (`price`, `added_at`); None when no product has one."""
        ...

    def sample(self, number: int, merchant: str | None = None) -> list[Point]:
        """Up to `number` points at random, of one merchant or of all, each at most once."""
        ...


FACET_FIELDS = ("categories", "brand", "currency", "in_stock", "attribute_terms")
"""Facts whose values an index can count."""


class VectorStore(VectorSearch, Protocol):
    """The derived index. One point per picture. Raises `errors.IndexUnavailable` when the engine does not answer.

    Every write is on condition of the product's version in its payload: what is not newer than what the index holds is
    left out without a word, so that late and repeated writes change nothing.
    """

    @property
    def space(self) -> Space:
        """The space the index was created for, as stored beside it."""
        ...

    def upsert(self, points: Sequence[Point]) -> None:
        """Insert, or replace what is older by the payload's `version`; visible to the next query.

        Vectors not finite, unit and of the dimension are refused.
        """
        ...

    def set_facts(self, key: ProductKey, facts: Payload, *, image: str | None = None) -> None:
        """Merge `facts` into the payload of those points of a product that are older than their `version`.

        `image`: of the one that shows this picture alone (its content hash).
        """
        ...

    def bury(self, tombstones: Sequence[Tombstone]) -> None:
        """Put tombstones in the place of these points, whether they are there or not, unless what is there is newer."""
        ...

    def purge_tombstones(self, before: datetime) -> None:
        """Remove tombstones put before a moment: by then no writer can be so late."""
        ...

    def images_of(self, keys: Collection[ProductKey]) -> Mapping[ProductKey, set[str]]:
        """The content hashes of each product's points, by product; of one that has none, an empty set."""
        ...

    def vectors_of(self, key: ProductKey) -> Mapping[str, Vector]:
        """Content hash -> vector of a product's points."""
        ...

    def vectors_by_content(self, content_hashes: Sequence[str]) -> Mapping[str, Vector]:
        """Content hash -> vector, for those of these pictures that any product of any merchant has in the index."""
        ...

    def count(self, merchant: str | None = None) -> int:
        """How many points there are, of one merchant or in all."""
        ...

    def scan(self) -> Iterator[Point]:
        """Every point with its whole payload, in the order of their ids, without tombstones: what another index is made
        of. What is written meanwhile is there as it was before or after, or not at all.
        """
        ...

    def snapshot(self, folder: Path) -> None:
        """Copy the index to a new folder while it is used: whatever it was told before this call is in the copy."""
        ...

    def flush(self) -> None:
        """Make everything written so far survive a loss of power."""
        ...

    def close(self) -> None:
        """Flush and let go; the store cannot be used afterwards."""
        ...


# --- the catalog: products, work and jobs -----------------------------------------------------------------------------


class Catalog(Protocol):
    """The truth: products as their merchants left them. Each call is one transaction, durable when it returns.

    Raises `errors.CatalogUnavailable` when the database cannot be reached or written.
    """

    def accept(self, changes: Sequence[Change], kind: JobKind, receipt: Receipt | None = None) -> list[Accepted]:
        """Make changes durable under one new job: version + 1 each, older pending items of the product superseded.

        Raises `errors.RepeatedRequest` (nothing changed) when the receipt's key was used already.
        """
        ...

    def product(self, key: ProductKey) -> ProductRecord | None:
        """The row as it is now; None when there is none. A deleted product's row says so."""
        ...

    def products(self, keys: Sequence[ProductKey]) -> list[ProductRecord]:
        """The rows of these products that exist, in no order."""
        ...

    def owns_image(self, merchant: str, content_hash: str) -> bool:
        """Whether a live product of the merchant has this picture."""
        ...

    def referenced(self, content_hashes: Sequence[str]) -> set[str]:
        """Those of these pictures that a live product of any merchant has."""
        ...

    def deleted_but_indexed(self, merchant: str, limit: int) -> list[str]:
        """Ids of deleted products the index may still hold: search leaves them out, so a delete shows at once."""
        ...

    def count(self, merchant: str | None = None) -> Mapping[str, int]:
        """Live products by state (`pending`, `searchable`, `failed`) and `pictures` (searchable ones)."""
        ...

    def ping(self) -> None:
        """Raise `errors.CatalogUnavailable` unless the database answers."""
        ...


class Ledger(Protocol):
    """The queue of due work, kept in the catalog: a product is due while its indexed version is behind its version."""

    def claim(self, work: Work, limit: int, lease_seconds: float) -> list[Claim]:
        """Lease up to `limit` products that are due for this kind of work and that nobody holds.

        Merchants share a batch by their weights; of one merchant, uploads come before imports, then the oldest first.
        A product whose earlier lease was never settled (its worker may have died of it) is claimed alone. One that used
        up its attempts is settled here as failed with `poison`, and is due for new facts then, with its code: the
        index is to be cleared of it.
        """
        ...

    def renew(self, claims: Sequence[Claim], lease_seconds: float) -> None:
        """Hold claims for longer, from now on. Those whose lease was lost are passed over."""
        ...

    def settle(self, outcomes: Sequence[Outcome]) -> None:
        """Record what became of claims, and of the job items waiting on them, in one transaction.

        A product whose row moved on meanwhile stays due; a claim whose lease was lost changes nothing.
        """
        ...

    def record_fetches(self, fetchings: Sequence[Fetching]) -> None:
        """Record what was fetched, and make each product due for reconciling, or for fetching again later.

        A product whose row moved on meanwhile stays due as it is; a claim whose lease was lost changes nothing.
        """
        ...

    def release(self, claims: Sequence[Claim], *, last: bool = False) -> None:
        """Give claims back untried (a part is down): the attempt is not counted.

        That holds as well when the lease ran out meanwhile, unless somebody has claimed the product since.
        `last`: they go behind everything that waits in their lanes.
        """
        ...

    def return_leases(self, *, expired_only: bool = True) -> int:
        """Free products and imports whose lease ran out (or all: only the single owner of a catalog may). How many."""
        ...

    def waiting(self, work: Work) -> bool:
        """Whether a product could be claimed for this kind of work now."""
        ...

    def due(self) -> int:
        """How many products are due, leased or not."""
        ...

    def backlog(self, merchant: str | None = None) -> Backlog:
        """What is due, leased or not, of one merchant or in all."""
        ...

    def mark_all_due(self) -> int:
        """Make every live product due again, and every delete the index may not have followed. How many.

        For an index that is built anew, or that lost a part: what is left of it may still hold what was deleted.
        """
        ...

    def mark_due_since(self, moment: datetime) -> int:
        """Make due again what the index was told since a moment, live or deleted: it may have lost that. How many.

        Job items stay as they ended. What was given up without telling the index anything is left as it is: a product
        that ends its workers would else be tried again for ever.
        """
        ...


class Jobs(Protocol):
    """Jobs and their items."""

    def open_import(self, merchant: str, source: str, options: ImportOptions, receipt: Receipt | None = None) -> str:
        """A new import job whose source is a kept file; returns its id. Raises `errors.RepeatedRequest`."""
        ...

    def claim_import(self, lease_seconds: float) -> ImportClaim | None:
        """Lease the import that waits longest for its turn, of those nobody holds that have rows left to read."""
        ...

    def record_import(self, step: ImportStep, *, lease_seconds: float) -> None:
        """Make one step durable: products, items and the place to go on, in one transaction; renews the lease.

        Raises `errors.Conflict` when the lease was lost or the import was cancelled, `errors.StaleRows` when a product
        has moved on from the version a row expects; nothing was changed then.
        """
        ...

    def renew_import(self, claim: ImportClaim, lease_seconds: float) -> None:
        """Hold an import for longer, from now on. Raises `errors.Conflict` when the lease was lost."""
        ...

    def fail_import(self, claim: ImportClaim, code: str, detail: str) -> None:
        """End an import whose source cannot be read further; rows already accepted stay accepted."""
        ...

    def yield_import(self, claim: ImportClaim) -> None:
        """Give the lease back between steps, so that another import has its turn. The attempt is not counted.

        That holds as well when the lease ran out meanwhile, unless another worker has taken the import since.
        """
        ...

    def imports_due(self, merchant: str | None = None) -> int:
        """How many imports have rows left to read, of one merchant or in all."""
        ...

    def unread_sources(self) -> set[str]:
        """The files of imports that have rows left to read."""
        ...

    def job(self, merchant: str, job_id: str) -> Job | None:
        """The job and its counts; None when there is none for this merchant. Costs the same for a million items."""
        ...

    def items(self, job_id: str, *, state: ItemState | None, after_row: int, limit: int) -> list[JobItem]:
        """Items in order of their rows, from after `after_row`."""
        ...

    def retry(self, merchant: str, job_id: str) -> Retried | None:
        """Make the job's failed products due again, as a new version of each; None when there is no such job.

        Items that are left: rows that made no product, products that were changed since, refused pictures whose bytes
        are not here and that have no address.
        """
        ...

    def cancel(self, merchant: str, job_id: str) -> Cancelled | None:
        """Read no further rows; withdraw new products no worker has taken up. None when there is no such job.

        A waiting change of a product that was there before goes on: its former facts are nowhere any more.
        """
        ...

    def forget_finished(self, before: datetime) -> int:
        """Remove jobs that ended before a moment, with their items and receipts. How many."""
        ...


class Receipts(Protocol):
    """What was answered to requests with an `Idempotency-Key`, for a day."""

    def receipt(self, merchant: str, key: str) -> KeptReceipt | None:
        """What is kept under a key; None when there is nothing or it is older than a day."""
        ...

    def keep_answer(self, receipt: Receipt, status: int, answer: str) -> None:
        """Note what was answered. Nothing happens when the receipt is not there."""
        ...

    def forget_receipts(self) -> int:
        """Remove those older than a day. How many."""
        ...


class FetchMemory(Protocol):
    """What addresses gave when they were last fetched."""

    def recall(self, urls: Sequence[str]) -> Mapping[str, Remembered]:
        """What is known of these addresses."""
        ...

    def remember(self, fetched: Sequence[Remembered]) -> None:
        """Note or replace."""
        ...

    def forget_addresses(self, before: datetime) -> int:
        """Remove what was last fetched, or found unchanged, before a moment. How many."""
        ...


class Indexes(Protocol):
    """The generations of the index, and which of them serves: kept in the catalog, so that a switch and what it makes
    due are one transaction. Without any, the first one serves.
    """

    def generations(self) -> list[Generation]:
        """All there are, the oldest first; none until the encoder is changed for the first time."""
        ...

    def admits(self, number: int) -> bool:
        """Whether work may be written to this generation: it serves, and nobody is about to switch."""
        ...

    def begin(self, space: Space, serving: Space) -> Generation:
        """A new one to be filled. `serving`: the space of the one that serves, noted with the first change."""
        ...

    def record(self, generation: Generation) -> None:
        """Note how far a generation is, and what is to be said of it; its state stays. Durable."""
        ...

    def announce(self, number: int) -> None:
        """It is ready to serve, and no other one is any more. Nothing happens when it serves already.

        Raises `errors.Conflict` when it is gone.
        """
        ...

    def withdraw(self, number: int, detail: str) -> None:
        """It does not serve after all; it is what it was before."""
        ...

    def hold(self, seconds: float) -> None:
        """Admit no more work for so long, or until a switch or `let_go`."""
        ...

    def let_go(self) -> None:
        """End a hold."""
        ...

    def working(self) -> int:
        """How many products are being written to the index now."""
        ...

    def switch(self, number: int, looked_at: datetime) -> int:
        """Let this generation serve from now on, in one transaction; how many products became due by it.

        The one that served is kept, one kept before is dropped. Work in hand loses its leases; what the index was told
        since `looked_at` is due again, and so are the gaps. Raises `errors.Conflict` when it is not ready.
        """
        ...

    def drop(self, number: int) -> None:
        """It is to be removed; nothing happens when it serves. Raises nothing when there is none."""
        ...

    def forget(self, number: int) -> None:
        """It has been removed. The last one stays noted all the same, so that no number comes twice."""
        ...

    def countable(self) -> int:
        """How many products a new index has to hold: the live ones a worker ever took up."""
        ...

    def keys_after(self, after: ProductKey | None, limit: int) -> list[ProductKey]:
        """Those products in the order of their keys, from after one."""
        ...

    def told_since(self, moment: datetime) -> list[Told]:
        """What the serving index was told since a moment, deletes too, the oldest first."""
        ...


class Doorbell(Protocol):
    """Tells workers that there is work. A lost ring is harmless: the sweep rings again."""

    def ring(self, work: Work) -> None:
        """There are products due for this work. Never raises: an upload does not fail because the broker is down."""
        ...

    def ring_imports(self) -> None:
        """There are imports to read. Never raises."""
        ...

    def reachable(self) -> bool:
        """Whether the broker answers now."""
        ...


class Clock(Protocol):
    """Now."""

    def __call__(self) -> datetime:
        """The time in UTC, with its time zone."""
        ...
