"""The worker's one verb: bring the index to the latest rows of the products that are due.

Nothing is taken from a message: the rows are read as they are now. So a lost, late, duplicate or reordered message is
harmless, and pictures uploaded one by one still share a forward pass.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from backend.domain.payload import picture_payload, point_id, product_payload
from backend.domain.picture import Picture, PictureState, Pixels, Vector
from backend.domain.product import ProductKey, ProductRecord
from backend.domain.reconciling import Plan, plan_of
from backend.errors import ImageNotFound, PictureMissing, ShelfsightError, Unavailable, UnreadableImage
from backend.ports import (
    BlobStore,
    Catalog,
    Claim,
    Doorbell,
    Embedder,
    Ledger,
    Outcome,
    PictureReader,
    Point,
    VectorStore,
)

log = logging.getLogger(__name__)

Refusals = dict[str, ShelfsightError]
"""Content hash -> why the picture could not be used."""


@dataclass(frozen=True)
class ReconcileProducts:
    """One batch: claim, read, plan, embed, write, settle."""

    catalog: Catalog
    ledger: Ledger
    blobs: BlobStore
    reader: PictureReader
    embedder: Embedder
    vectors: VectorStore
    doorbell: Doorbell
    batch: int
    lease_seconds: float

    def __call__(self) -> int:
        """How many products were settled. Raises `Unavailable` when a part is down; the claims are then given back."""
        claims = self.ledger.claim(self.batch, self.lease_seconds)
        if not claims:
            return 0
        if len(claims) == self.batch:  # more may be due: let another thread start while this one works
            self.doorbell.ring_products()
        try:
            outcomes = self._outcomes(claims)
        except Unavailable:
            self.ledger.release(claims)
            raise
        self.ledger.settle(outcomes)
        if self.ledger.due():  # left out of this batch, or changed while it was worked on
            self.doorbell.ring_products()
        return len(outcomes)

    def _outcomes(self, claims: Sequence[Claim]) -> list[Outcome]:
        """All claims together; when that fails in an unforeseen way, one by one, so that only the culprit fails."""
        try:
            return self._reconcile(claims)
        except Unavailable:
            raise
        except Exception as err:
            log.exception("reconciling %d products failed", len(claims))
            if len(claims) > 1:
                return [outcome for claim in claims for outcome in self._outcomes([claim])]
            return [
                Outcome(
                    claims[0],
                    code=ShelfsightError.code,
                    detail=f"{type(err).__name__} while indexing; see the log",
                )
            ]

    def _reconcile(self, claims: Sequence[Claim]) -> list[Outcome]:
        records = {record.product.key: record for record in self.catalog.products([claim.key for claim in claims])}
        due = [(claim, records[claim.key]) for claim in claims if claim.key in records]
        known = {record.product.key: self.vectors.vectors_of(record.product.key) for _, record in due}
        plans = {key: plan_of(records[key], vectors.keys()) for key, vectors in known.items()}
        fresh, refusals = self._embed(dict.fromkeys(item for plan in plans.values() for item in plan.embed))
        self._write([record for _, record in due], plans, fresh)
        return [_outcome(claim, record, refusals) for claim, record in due]

    def _embed(self, hashes: dict[str, None]) -> tuple[dict[str, Vector], Refusals]:
        """Vectors of the pictures that can be read, each content once however many products show it."""
        decoded: dict[str, Pixels] = {}
        vectors: dict[str, Vector] = {}
        refusals: Refusals = {}
        for content_hash in hashes:
            try:
                decoded[content_hash] = self.reader.decode(self.blobs.get(content_hash), self.embedder.picture_side)
            except UnreadableImage as err:
                refusals[content_hash] = err
            except ImageNotFound:
                refusals[content_hash] = PictureMissing("the stored bytes are gone; upload the picture again")
            if len(decoded) == self.batch:  # bounds memory: a batch of products may have 16 times as many pictures
                vectors.update(self._embedded(decoded))
                decoded = {}
        vectors.update(self._embedded(decoded))
        return vectors, refusals

    def _embedded(self, decoded: dict[str, Pixels]) -> dict[str, Vector]:
        if not decoded:
            return {}
        return dict(zip(decoded, self.embedder.embed_images(list(decoded.values())), strict=True))

    def _write(self, records: Sequence[ProductRecord], plans: dict[ProductKey, Plan], fresh: dict[str, Vector]) -> None:
        """New points first, stale ones last: a product whose pictures are replaced is never without any."""
        points: list[Point] = []
        for record in records:
            key, facts = record.product.key, product_payload(record.product, record.version)
            plan = plans[key]
            points += [
                Point(point_id(key, item), fresh[item], facts | picture_payload(item))
                for item in plan.embed
                if item in fresh
            ]
            if plan.keep:
                self.vectors.set_facts(key, facts)
        if points:
            self.vectors.upsert(points)
        stale = [point_id(key, item) for key, plan in plans.items() for item in plan.remove]
        if stale:
            self.vectors.remove_points(stale)


def _outcome(claim: Claim, record: ProductRecord, refusals: Refusals) -> Outcome:
    if record.deleted:
        return Outcome(claim)
    pictures = tuple(_judged(picture, refusals) for picture in record.pictures)
    if any(picture.state is PictureState.SEARCHABLE for picture in pictures):
        return Outcome(claim, pictures)
    first = next((picture for picture in pictures if picture.code), None)
    code = first.code if first else PictureMissing.code
    return Outcome(claim, pictures, code=code, detail=(first.detail if first else None) or "no picture could be used")


def _judged(picture: Picture, refusals: Refusals) -> Picture:
    if picture.content_hash is None or picture.state is PictureState.FAILED:
        return picture
    refusal = refusals.get(picture.content_hash)
    if refusal is None:
        return replace(picture, state=PictureState.SEARCHABLE, code=None, detail=None)
    return replace(picture, state=PictureState.FAILED, code=refusal.code, detail=refusal.detail)
