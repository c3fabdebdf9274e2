"""The fake catalog's ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from backend.domain.fairness import Turns, after, shares
from backend.domain.work import Backlog, Claim, Fetching, Outcome, Work
from backend.errors import Poison
from tests.fakes.catalog_rows import LANES, JobRow, Lane, Row, is_free, lane_of, unjudged
from tests.fakes.catalog_state import CatalogState


class FakeLedger:
    """See `backend.ports.Ledger`."""

    def __init__(self, state: CatalogState, max_attempts: int, weights: Mapping[str, int]) -> None:
        self._state = state
        self._max_attempts = max_attempts
        self._weights = weights
        self._turns = {work: Turns() for work in Work}

    def claim(self, work: Work, limit: int, lease_seconds: float) -> list[Claim]:
        with self._state.lock:
            now = self._state.clock()
            lease, until = self._state.new_lease(), now + timedelta(seconds=lease_seconds)
            claims: list[Claim] = []
            for row in self._next_rows(work, limit, now):
                row.lease, row.lease_until, row.attempts, row.taken_up = lease, until, row.attempts + 1, True
                claims.append(Claim(row.key, row.record.version, lease, row.attempts, row.fetches))
            return claims

    def _next_rows(self, work: Work, limit: int, now: datetime) -> list[Row]:
        """Whose turn it is, and in their turns their oldest; a product that was claimed before only by itself."""
        queues = self._queues(work, now)
        waiting = {merchant: len(queue) for merchant, queue in queues.items()}
        turns = self._turns[work]
        calm = {merchant: [row for row in queue if not row.attempts] for merchant, queue in queues.items()}
        first = [queues[merchant][0] for merchant in shares(turns, waiting, self._weights, 1)]
        if first and first[0].attempts:
            slots = {first[0].key.merchant: 1}
        else:
            can = {merchant: len(queue) for merchant, queue in calm.items()}
            slots = shares(turns, can, self._weights, limit)
            first = [row for merchant, count in slots.items() for row in calm[merchant][:count]]
        # All who wait, not only those who had a turn: a merchant left out because of a lost worker is next.
        self._turns[work] = after(turns, waiting, self._weights, slots)
        return first

    def _queues(self, work: Work, now: datetime) -> dict[str, list[Row]]:
        queues: dict[str, list[Row]] = {}
        for row in sorted(self._claimable(work, now), key=lambda row: (row.lane, row.due_at, row.key)):
            if row.attempts >= self._max_attempts:
                self._state.set_aside(row)
            else:
                queues.setdefault(row.key.merchant, []).append(row)
        return queues

    def _claimable(self, work: Work, now: datetime) -> list[Row]:
        due = (row for row in self._state.rows.values() if row.due and row.lane in LANES[work])
        return [row for row in due if (not row.fetches or row.due_at <= now) and is_free(row, now)]

    def renew(self, claims: Sequence[Claim], lease_seconds: float) -> None:
        with self._state.lock:
            until = self._state.clock() + timedelta(seconds=lease_seconds)
            for claim in claims:
                row = self._state.held_row(claim)
                if row is not None:
                    row.lease_until = until

    def settle(self, outcomes: Sequence[Outcome]) -> None:
        with self._state.lock:
            for outcome in outcomes:
                row = self._state.held_row(outcome.claim)
                if row is not None:
                    self._state.settle(row, outcome)

    def record_fetches(self, fetchings: Sequence[Fetching]) -> None:
        with self._state.lock:
            for fetching in fetchings:
                row = self._state.held_row(fetching.claim)
                if row is None:
                    continue
                row.unlease(attempts=0)
                if row.record.version == fetching.claim.version:
                    self._fetched(row, fetching)

    def _fetched(self, row: Row, fetching: Fetching) -> None:
        was = row.record.pictures
        if len(was) != len(fetching.pictures):
            raise ValueError("fetching names all pictures of the product, in order")
        row.record = replace(row.record, pictures=fetching.pictures)
        row.note_dropped(was)
        if fetching.again_at is not None:
            row.due_at, row.fetches = fetching.again_at, max(1, row.fetches + fetching.tried)
        else:
            row.lane, row.fetches = (Lane.IMPORT if row.lane is Lane.FETCH_IMPORT else Lane.UPLOAD), 0

    def release(self, claims: Sequence[Claim], *, last: bool = False) -> None:
        with self._state.lock:
            for claim in claims:
                row = self._state.rows.get(claim.key)
                if row is not None and (row.lease == claim.lease or row.is_left_by(claim)):
                    row.unlease(attempts=max(row.attempts - 1, 0))
                    if last and not row.fetches:
                        row.due_at = self._state.clock()

    def return_leases(self, *, expired_only: bool = True) -> int:
        with self._state.lock:
            now = self._state.clock()
            held: list[Row | JobRow] = [*self._state.rows.values(), *self._state.jobs.values()]
            over = [it for it in held if it.lease_until is not None and (not expired_only or it.lease_until <= now)]
            for it in over:
                it.lease = it.lease_until = None
            return len(over)

    def waiting(self, work: Work) -> bool:
        with self._state.lock:
            return bool(self._claimable(work, self._state.clock()))

    def due(self) -> int:
        return self.backlog().products

    def backlog(self, merchant: str | None = None) -> Backlog:
        with self._state.lock:
            since = [row.due_at for row in self._state.of(merchant) if row.due]
            return Backlog(len(since), min(since, default=None))

    def mark_all_due(self) -> int:
        with self._state.lock:
            now, marked = self._state.clock(), 0
            for row in self._state.rows.values():
                record = row.record
                if record.deleted and not row.due and not record.code:
                    continue
                kept = tuple(unjudged(it) if it.content_hash else it for it in record.pictures)
                row.unlease(attempts=0)
                row.due_at = row.due_at if row.due else now
                row.record = replace(record, indexed_version=0, pictures=kept, code=None, detail=None)
                row.lane = Lane.FACTS if record.deleted else lane_of(kept, imported=True)
                marked += 1
            return marked

    def mark_due_since(self, moment: datetime) -> int:
        with self._state.lock:
            told = [row for row in self._state.rows.values() if row.told_at and row.told_at >= moment]
            lost = [row for row in told if not row.due]
            for row in lost:
                poison = row.record.code == Poison.code
                code, detail = (row.record.code, row.record.detail) if poison else (None, None)
                row.record = replace(row.record, indexed_version=0, code=code, detail=detail)
                row.waits_in(Lane.FACTS if row.record.deleted else Lane.UPLOAD, self._state.clock())
            return len(lost)
