"""Everything the use cases ask of the outside. Adapters implement these; fakes are held to the same tests."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Protocol, Self

from backend.domain.filters import Filter
from backend.domain.job import ItemState, Job, JobItem, JobKind
from backend.domain.payload import Payload
from backend.domain.picture import Picture, PictureFacts, Pixels, Vector, Vectors
from backend.domain.product import Product, ProductKey, ProductRecord
from backend.domain.query import Match
from backend.errors import ShelfsightError

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


class BlobStore(Protocol):
    """Original bytes by content hash (sha-256, hex). Raises `errors.BlobsUnavailable`."""

    def put(self, data: bytes) -> str:
        """Store durably (survives power loss once this returns) and return the content hash. Same bytes, same key."""
        ...

    def put_stream(self, stream: IO[bytes]) -> str:
        """The same for a file too large to hold in memory."""
        ...

    def get(self, content_hash: str) -> bytes:
        """The bytes. Raises `errors.ImageNotFound` when there are none."""
        ...

    def open(self, content_hash: str) -> IO[bytes]:
        """The bytes as a seekable file. Raises `errors.ImageNotFound` when there are none."""
        ...

    def delete(self, content_hash: str) -> None:
        """Remove the bytes; nothing happens when there are none."""
        ...


class ImportFiles(Protocol):
    """Uploaded files of products, from their upload to their last row. Raises `errors.BlobsUnavailable`."""

    def keep(self, stream: IO[bytes]) -> str:
        """Store durably under a name of its own, which is returned: the same content twice is two files."""
        ...

    def open(self, name: str) -> IO[bytes]:
        """The file, seekable. Raises `errors.ImportFileMissing`."""
        ...

    def delete(self, name: str) -> None:
        """Remove the file; nothing happens when there is none."""
        ...


# --- files of products ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file of products: the product and the names of its pictures, or the reason it was refused."""

    number: int
    product_id: str | None
    product: Product | None = None
    pictures: tuple[str, ...] = ()
    error: ShelfsightError | None = None


class Manifest(Protocol):
    """An open file of products and their pictures. Used in a `with` statement."""

    @property
    def ignored_columns(self) -> tuple[str, ...]:
        """Columns that are no product's field; nothing was read from them."""
        ...

    def rows(self, *, first: int = 1) -> Iterator[Row]:
        """Rows from number `first` (1-based, header not counted), each understood or refused on its own."""
        ...

    def picture(self, name: str) -> bytes:
        """A picture's bytes. Raises `errors.PictureMissing`, `errors.ImageTooLarge` or another `UnreadableImage`."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...


class ManifestReader(Protocol):
    """Opens files of products."""

    def open(self, source: IO[bytes], merchant: str) -> Manifest:
        """Check the file as a whole and open it. Raises `InvalidArchive`, `MissingColumn`, `InvalidCsv`."""
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


class VectorStore(Protocol):
    """The derived index. One point per picture. Raises `errors.IndexUnavailable` when the engine does not answer."""

    @property
    def space(self) -> Space:
        """The space the index was created for, as stored beside it."""
        ...

    def upsert(self, points: Sequence[Point]) -> None:
        """Insert or replace; visible to the next query. Vectors not finite, unit and of the dimension are refused."""
        ...

    def set_facts(self, key: ProductKey, facts: Payload) -> None:
        """Merge `facts` into the payload of all points of a product: the metadata lane; no vector is touched."""
        ...

    def remove_points(self, point_ids: Sequence[str]) -> None:
        """Remove single points; ids that are not there are ignored."""
        ...

    def remove_products(self, keys: Sequence[ProductKey]) -> None:
        """Remove every point of these products."""
        ...

    def vectors_of(self, key: ProductKey) -> Mapping[str, Vector]:
        """Content hash -> vector of a product's points."""
        ...

    def nearest(
        self, merchant: str, vector: Vector, wanted: Filter, *, limit: int, exclude: Sequence[str] = ()
    ) -> list[Match]:
        """The `limit` best products of a merchant that satisfy the filter, best first, ties by product id.

        One match per product, its best picture deciding; `exclude` names product ids to leave out. A deeper call
        (greater `limit`) begins with the same matches, so pages cut from it neither repeat nor skip a product.
        """
        ...

    def count(self, merchant: str | None = None) -> int:
        """How many points there are, of one merchant or in all."""
        ...

    def flush(self) -> None:
        """Make everything written so far survive a loss of power."""
        ...

    def close(self) -> None:
        """Flush and let go; the store cannot be used afterwards."""
        ...


# --- the catalog: products, work and jobs -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Change:
    """What a caller wants of one product, at one row of a job.

    `product` and `pictures` None: delete it. `pictures` None alone: new facts, pictures untouched.
    `expected_version`: refuse with `errors.Conflict` (nothing changed) when the row has moved on since it was read.
    """

    key: ProductKey
    product: Product | None
    pictures: tuple[Picture, ...] | None = None
    row: int = 1
    expected_version: int | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """A change made durable: its job, the product's new version, and whether the product was new."""

    job_id: str
    key: ProductKey
    version: int
    created: bool


@dataclass(frozen=True, slots=True)
class ImportStep:
    """Part of an import, kept in one transaction: the rows understood, the rows refused, and where to go on.

    `next_row` is the first row not read yet; `total` is set with the last step, at the end of the source.
    """

    job_id: str
    lease: str
    changes: tuple[Change, ...]
    refused: tuple[JobItem, ...]
    next_row: int
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How reconciling a claimed version ended. `code` None: the index holds it. `pictures`: their new states."""

    claim: "Claim"
    pictures: tuple[Picture, ...] = ()
    code: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A due product, leased to one worker. `attempts` counts this claim: 1 is the first."""

    key: ProductKey
    version: int
    lease: str
    attempts: int


@dataclass(frozen=True, slots=True)
class ImportClaim:
    """An import with rows still to read, leased to one worker."""

    job_id: str
    merchant: str
    source: str
    next_row: int
    lease: str


class Catalog(Protocol):
    """The truth: products as their merchants left them. Each call is one transaction, durable when it returns.

    Raises `errors.CatalogUnavailable` when the database cannot be reached or written.
    """

    def accept(self, changes: Sequence[Change], kind: JobKind) -> list[Accepted]:
        """Make changes durable under one new job: version + 1 each, older pending items of the product superseded."""
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

    def claim(self, limit: int, lease_seconds: float) -> list[Claim]:
        """Lease up to `limit` due products that nobody holds, metadata changes and deletes first, then oldest first.

        A product whose earlier lease was never settled (its worker may have died of it) is claimed alone.
        """
        ...

    def settle(self, outcomes: Sequence[Outcome]) -> None:
        """Record what became of claims, and of the job items waiting on them, in one transaction.

        A product whose row moved on meanwhile stays due; a claim whose lease was lost changes nothing.
        """
        ...

    def release(self, claims: Sequence[Claim]) -> None:
        """Give claims back untried (a part is down): the attempt is not counted."""
        ...

    def return_leases(self, *, expired_only: bool = True) -> int:
        """Free products and imports whose lease ran out (or all: only the single owner of a catalog may). How many."""
        ...

    def due(self) -> int:
        """How many products wait, leased or not."""
        ...

    def mark_all_due(self) -> int:
        """Make every live product due again, and every deleted one settled: the index is to be rebuilt. How many."""
        ...


class Jobs(Protocol):
    """Jobs and their items."""

    def open_import(self, merchant: str, source: str) -> str:
        """A new import job whose source is a blob; returns its id."""
        ...

    def claim_import(self, lease_seconds: float) -> ImportClaim | None:
        """Lease the oldest import nobody holds that has rows left to read."""
        ...

    def record_import(self, step: ImportStep, *, lease_seconds: float) -> None:
        """Make one step durable: products, items and the place to go on, in one transaction; renews the lease."""
        ...

    def fail_import(self, claim: ImportClaim, code: str, detail: str) -> None:
        """End an import whose source cannot be read further; rows already accepted stay accepted."""
        ...

    def yield_import(self, claim: ImportClaim) -> None:
        """Give the lease back between steps, so that another import has its turn."""
        ...

    def imports_due(self) -> int:
        """How many imports have rows left to read."""
        ...

    def job(self, merchant: str, job_id: str) -> Job | None:
        """The job and its counts; None when there is none for this merchant."""
        ...

    def items(self, job_id: str, *, state: ItemState | None, after_row: int, limit: int) -> list[JobItem]:
        """Items in order of their rows, from after `after_row`."""
        ...


class Doorbell(Protocol):
    """Tells workers that there is work. A lost ring is harmless: the sweep rings again."""

    def ring_products(self) -> None:
        """There are due products. Never raises: an upload does not fail because the broker is down."""
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
