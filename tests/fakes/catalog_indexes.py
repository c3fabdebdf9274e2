"""The fake catalog's generations of the index."""

from dataclasses import replace
from datetime import datetime, timedelta

from backend.domain.generation import FIRST, LATER, Generation, IndexState, Told
from backend.domain.picture import Picture, PictureState
from backend.domain.product import ProductKey
from backend.domain.work import Work
from backend.errors import Conflict, Poison
from backend.ports import Space
from tests.fakes.catalog_rows import LANES, Lane, Row, unjudged
from tests.fakes.catalog_state import CatalogState

CAN_SERVE = {IndexState.BUILDING, IndexState.READY, IndexState.KEPT}


class FakeIndexes:
    """See `backend.ports.Indexes`."""

    def __init__(self, state: CatalogState) -> None:
        self._state = state
        self._generations: dict[int, Generation] = {}
        self._held_until: datetime | None = None

    def generations(self) -> list[Generation]:
        with self._state.lock:
            return sorted(self._generations.values(), key=lambda generation: generation.number)

    def admits(self, number: int) -> bool:
        with self._state.lock:
            held = self._held_until is not None and self._held_until > self._state.clock()
            return number == self._serving and not held

    @property
    def _serving(self) -> int:
        return next((it.number for it in self._generations.values() if it.state is IndexState.SERVING), FIRST)

    def begin(self, space: Space, serving: Space) -> Generation:
        with self._state.lock:
            now = self._state.clock()
            if not self._generations:
                first = self._new(FIRST, serving, now)
                self._generations[FIRST] = replace(first, state=IndexState.SERVING, filled=True, served_at=now)
            made = replace(self._new(max(self._generations) + 1, space, now), total=self.countable())
            self._generations[made.number] = made
            return made

    def _new(self, number: int, space: Space, now: datetime) -> Generation:
        return Generation(number, IndexState.BUILDING, space.model, space.dimension, space.fingerprint, now, now)

    def record(self, generation: Generation) -> None:
        with self._state.lock:
            known = self._generations[generation.number]
            self._generations[generation.number] = replace(
                generation, state=known.state, served_at=known.served_at, updated_at=self._state.clock()
            )

    def announce(self, number: int) -> None:
        with self._state.lock:
            known = self._generations.get(number)
            if known is not None and known.state is IndexState.SERVING:
                return
            if known is None or known.state not in CAN_SERVE:
                raise Conflict(f"the index's generation {number} is gone")
            for other in list(self._generations):
                if other != number:
                    self.withdraw(other, LATER)
            self._generations[number] = replace(known, state=IndexState.READY, detail=None)

    def withdraw(self, number: int, detail: str) -> None:
        with self._state.lock:
            known = self._generations[number]
            if known.state is IndexState.READY:
                before = IndexState.KEPT if known.served_at else IndexState.BUILDING
                self._generations[number] = replace(known, state=before, detail=detail)

    def hold(self, seconds: float) -> None:
        with self._state.lock:
            self._held_until = self._state.clock() + timedelta(seconds=seconds)

    def let_go(self) -> None:
        with self._state.lock:
            self._held_until = None

    def working(self) -> int:
        with self._state.lock:
            lanes = {lane for work in Work if work is not Work.FETCH for lane in LANES[work]}
            return sum(row.lease is not None and row.lane in lanes for row in self._state.rows.values())

    def switch(self, number: int, looked_at: datetime) -> int:
        with self._state.lock:
            wanted = self._generations.get(number)
            if wanted is None or wanted.state not in CAN_SERVE:
                raise Conflict(f"the index's generation {number} is not ready to serve")
            now = self._state.clock()
            for other in list(self._generations.values()):
                if other.state is IndexState.KEPT and other.number != number:
                    self._generations[other.number] = replace(other, state=IndexState.DROPPED)
                if other.state is IndexState.SERVING:
                    self._generations[other.number] = replace(other, state=IndexState.KEPT, told_before=now)
            self._held_until = None
            self._generations[number] = replace(wanted, state=IndexState.SERVING, served_at=now, detail=None, gaps=())
            for row in self._state.rows.values():
                if row.lease is not None:
                    row.unlease(attempts=max(row.attempts - 1, 0))
            refused = (
                sum(self._try_refused_again(row, now) for row in self._state.rows.values()) if wanted.served_at else 0
            )
            told = [row for row in self._state.rows.values() if row.told_at and row.told_at >= looked_at]
            gaps = [row for row in self._state.rows.values() if row.key in wanted.gaps and not row.record.deleted]
            return refused + sum(self._make_due(row, now) for row in {row.key: row for row in (*told, *gaps)}.values())

    def _try_refused_again(self, row: Row, now: datetime) -> bool:
        """Whether a product with refused pictures became due: what another encoder refused this one may take."""
        record, due = row.record, row.due
        pictures = tuple(unjudged(it) if _refused(it) else it for it in record.pictures)
        if record.deleted or pictures == record.pictures or record.code == Poison.code or (due and record.code):
            return False
        version = record.version if due else record.version + 1
        row.record = replace(record, version=version, pictures=pictures, code=None, detail=None, updated_at=now)
        row.waits_in(Lane.UPLOAD, row.due_at if due else now)
        return not due

    def _make_due(self, row: Row, now: datetime) -> bool:
        if row.due:
            return False
        poison = row.record.code == Poison.code
        code, detail = (row.record.code, row.record.detail) if poison else (None, None)
        row.record = replace(row.record, indexed_version=0, code=code, detail=detail)
        row.waits_in(Lane.FACTS if row.record.deleted else Lane.UPLOAD, now)
        return True

    def drop(self, number: int) -> None:
        with self._state.lock:
            known = self._generations.get(number)
            if known is not None and known.state is not IndexState.SERVING:
                self._generations[number] = replace(known, state=IndexState.DROPPED)

    def forget(self, number: int) -> None:
        with self._state.lock:
            known = self._generations.get(number)
            if known is not None and known.state is IndexState.DROPPED and number < max(self._generations):
                del self._generations[number]

    def countable(self) -> int:
        with self._state.lock:
            return len(self._held())

    def _held(self) -> list[ProductKey]:
        rows = self._state.rows.values()
        return sorted(row.key for row in rows if row.taken_up and not row.record.deleted)

    def keys_after(self, after: ProductKey | None, limit: int) -> list[ProductKey]:
        with self._state.lock:
            return [key for key in self._held() if after is None or key > after][:limit]

    def told_since(self, moment: datetime) -> list[Told]:
        with self._state.lock:
            told = [
                Told(row.key, row.record.indexed_version, row.told_at)
                for row in self._state.rows.values()
                if row.told_at is not None and row.told_at >= moment
            ]
            return sorted(told, key=lambda it: it.at)


def _refused(picture: Picture) -> bool:
    here = picture.content_hash is not None
    return here and picture.state is PictureState.FAILED and picture.code != Poison.code
