"""The worker's one verb: bring the index to the latest rows of the products that are due.

Nothing is taken from a message: the rows are read as they are now, the index takes no older version over a newer one,
and the row is looked at again when the work is settled. So a lost, late, duplicate or reordered message is harmless.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from backend.domain.picture import Picture, PictureState
from backend.domain.product import ProductKey, ProductRecord
from backend.domain.reconciling import Plan, plan_of
from backend.domain.work import Claim, Outcome, Work
from backend.errors import PictureMissing, ShelfsightError, Unavailable
from backend.ports import Catalog, Doorbell, Ledger, VectorStore
from backend.usecases.crew import Crew
from backend.usecases.embed_pictures import Embedded, EmbedPictures
from backend.usecases.ring_for_what_waits import ring_for_what_waits
from backend.usecases.write_points import write_points

log = logging.getLogger(__name__)

Due = tuple[Claim, ProductRecord]


@dataclass(frozen=True)
class ReconcileProducts:
    """One batch of one kind of work: claim, read, plan, embed, write, settle.

    `admitted`: whether this index is to be written to at all. Asked after the claim, for a switch to another index ends
    the leases: who is admitted then, and loses its lease afterwards, settles nothing.
    """

    catalog: Catalog
    ledger: Ledger
    vectors: VectorStore
    embed: EmbedPictures
    doorbell: Doorbell
    crews: Mapping[Work, Crew]
    batch: int
    lease_seconds: float
    admitted: Callable[[], bool]
    monotonic: Callable[[], float] = field(default=time.monotonic)

    def __call__(self, work: Work) -> int:
        """How many products were settled. Raises `Unavailable` when a part is down; the claims are then given back.

        Without a free place nothing is done: whoever holds the places rings when there is more.
        """
        crew = self.crews[work]
        with crew.claims(self.batch) as claims:
            if not claims:
                return 0
            if not self.admitted():
                self.ledger.release(claims)
                return 0
            if len(claims) == self.batch:  # more may be due: let another thread start while this one works
                self.doorbell.ring(work)
            reasons = {claim: reason for claim in claims if (reason := crew.gave_up(claim))}
            outcomes, moved_on = self._outcomes([claim for claim in claims if claim not in reasons])
            given_up = [_given_up(claim, reason) for claim, reason in reasons.items()]
            if work is Work.FACTS:  # new facts leave the pictures alone: nothing embedded, nothing spared
                outcomes = [replace(outcome, reused=0) for outcome in outcomes]
            self.ledger.settle([*outcomes, *given_up])
            self.ledger.release(moved_on)
        ring_for_what_waits(self.ledger, self.doorbell)
        return len(outcomes) + len(given_up)

    def _outcomes(self, claims: Sequence[Claim]) -> tuple[list[Outcome], list[Claim]]:
        """All claims together; when that fails in an unforeseen way, one by one, so that only the culprit fails."""
        try:
            return self._reconcile(claims) if claims else ([], [])
        except Unavailable:
            raise
        except Exception as err:
            log.exception("reconciling %d products failed", len(claims))
            if len(claims) == 1:
                return [_given_up(claims[0], f"{type(err).__name__} while indexing; see the log")], []
            singly = [self._outcomes([claim]) for claim in claims]
            return [item for outcomes, _ in singly for item in outcomes], [it for _, moved in singly for it in moved]

    def _reconcile(self, claims: Sequence[Claim]) -> tuple[list[Outcome], list[Claim]]:
        """Outcomes, and claims to be given back: their row has moved on already, or a worker that had lost
        its lease wrote to the index beside this one. Those come again in the queue of what they are by then.
        """
        records = {record.product.key: record for record in self.catalog.products([claim.key for claim in claims])}
        due = [(it, records[it.key]) for it in claims if it.key in records and records[it.key].version == it.version]
        held = self.vectors.images_of([claim.key for claim, _ in due])
        plans = {claim.key: plan_of(record, held[claim.key]) for claim, record in due}
        wanted = [item for plan in plans.values() for item in plan.add]
        embedded = self.embed(wanted, self._sign_of_life(claims))
        write_points(self.vectors, [record for _, record in due], plans, embedded)
        standing = self._standing(plans)
        done = [(claim, record) for claim, record in due if claim.key in standing]
        settled = {claim.key for claim, _ in done}
        return _outcomes(done, plans, embedded), [claim for claim in claims if claim.key not in settled]

    def _standing(self, plans: Mapping[ProductKey, Plan]) -> set[ProductKey]:
        """Whose pictures that were to be kept are still there: between the look at them and the writing of their new
        facts, a worker with an older version may have buried them. After the writing none can.
        """
        held = self.vectors.images_of([key for key, plan in plans.items() if plan.keep])
        return {key for key, plan in plans.items() if not plan.keep or held[key] >= {*plan.keep}}

    def _sign_of_life(self, claims: Sequence[Claim]) -> Callable[[], None]:
        """Renews the leases when a third of their time is over: a batch on a slow machine may take longer than one."""
        last = self.monotonic()

        def alive() -> None:
            nonlocal last
            if self.monotonic() - last > self.lease_seconds / 3:
                self.ledger.renew(claims, self.lease_seconds)
                last = self.monotonic()

        return alive


def _given_up(claim: Claim, reason: str) -> Outcome:
    """Failed without a word to the index."""
    return Outcome(claim, code=ShelfsightError.code, detail=reason, told=False)


def _outcomes(due: Sequence[Due], plans: Mapping[ProductKey, Plan], embedded: Embedded) -> list[Outcome]:
    """One outcome each. A vector computed for several products counts as embedded for the first, as reused then."""
    unclaimed = set(embedded.fresh)
    outcomes = []
    for claim, record in due:
        plan = plans[claim.key]
        fresh = unclaimed.intersection(plan.add)
        unclaimed -= fresh
        usable = sum(item in embedded.vectors for item in plan.add) + len(plan.keep)
        outcomes.append(replace(_outcome(claim, record, embedded), embedded=len(fresh), reused=usable - len(fresh)))
    return outcomes


def _outcome(claim: Claim, record: ProductRecord, embedded: Embedded) -> Outcome:
    if record.deleted:
        return Outcome(claim)
    if record.code:  # set aside before: the index was to be cleared of it
        return Outcome(claim, record.pictures, code=record.code, detail=record.detail)
    pictures = tuple(_judged(picture, embedded) for picture in record.pictures)
    if any(picture.state is PictureState.SEARCHABLE for picture in pictures):
        return Outcome(claim, pictures)
    first = next((picture for picture in pictures if picture.code), None)
    code = first.code if first else PictureMissing.code
    return Outcome(claim, pictures, code=code, detail=(first.detail if first else None) or "no picture could be used")


def _judged(picture: Picture, embedded: Embedded) -> Picture:
    if picture.content_hash is None or picture.state is PictureState.FAILED:
        return picture
    refusal = embedded.refusals.get(picture.content_hash)
    if refusal is None:
        return replace(picture, state=PictureState.SEARCHABLE, code=None, detail=None)
    return replace(picture, state=PictureState.FAILED, code=refusal.code, detail=refusal.detail)
