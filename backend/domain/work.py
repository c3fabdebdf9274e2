"""Work: what a caller wants changed, what waits for a worker, and what became of it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from backend.domain.picture import Picture
from backend.domain.product import Product, ProductKey


class Work(StrEnum):
    """What a due product waits for. Each kind has a queue of its own, so that none holds up another.

    `facts`: new facts or a delete, no model is needed. `fetch`: pictures are still at the addresses the merchant gave.
    `uploads`: pictures of single products are here and may have to be embedded. `imports`: the same of whole files.
    """

    FACTS = "facts"
    FETCH = "fetch"
    UPLOADS = "uploads"
    IMPORTS = "imports"


@dataclass(frozen=True, slots=True)
class Change:
    """What a caller wants of one product, at one row of a job.

    `product` and `pictures` None: delete it. `pictures` None alone: new facts, pictures untouched.
    `expected_version`: refuse with `errors.Conflict` (nothing changed) when the row has moved on since it was read.
    `line`: where the row begins in its file, for people.
    """

    key: ProductKey
    product: Product | None
    pictures: tuple[Picture, ...] | None = None
    row: int = 1
    expected_version: int | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """A change made durable: its job, the product's new version, and whether the product was new."""

    job_id: str
    key: ProductKey
    version: int
    created: bool


@dataclass(frozen=True, slots=True)
class Receipt:
    """A caller's `Idempotency-Key` and what it was sent with: `fingerprint` hashes the request."""

    merchant: str
    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class KeptReceipt:
    """A receipt as it was kept: the job it made, and the answer given once there was one."""

    receipt: Receipt
    job_id: str
    status: int | None
    answer: str | None


@dataclass(frozen=True, slots=True)
class Claim:
    """A due product, leased to one worker. `attempts` counts this claim: 1 is the first.

    `fetches`: how often its pictures' addresses were tried in vain for its present version.
    """

    key: ProductKey
    version: int
    lease: str
    attempts: int
    fetches: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How reconciling a claimed version ended. `code` None: the index holds it. `pictures`: their new states.

    `embedded`, `reused`: how many of its pictures went through the model, and how many had a vector already.
    `told` False: it was given up before the index was told anything, so what is to be buried there still is.
    """

    claim: Claim
    pictures: tuple[Picture, ...] = ()
    code: str | None = None
    detail: str | None = None
    embedded: int = 0
    reused: int = 0
    told: bool = True


@dataclass(frozen=True, slots=True)
class Fetching:
    """What fetching brought: all pictures of the claimed version, in order, those that came with their hashes.

    `again_at`: some may come later; the product is due for fetching again then. None: it goes on to be reconciled.
    `tried` False: no host of those was even asked, so `Claim.fetches` stays as it is; but it is 1 at least, which is
    what makes the product wait.
    """

    claim: Claim
    pictures: tuple[Picture, ...]
    again_at: datetime | None = None
    tried: bool = True


@dataclass(frozen=True, slots=True)
class Backlog:
    """Due products: how many, and since when the oldest waits (None: none does)."""

    products: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class Remembered:
    """What an address gave when it was last fetched."""

    url: str
    content_hash: str
    etag: str | None
    last_modified: str | None
    fetched_at: datetime
