"""`SqlIndexes`: the port `Indexes`."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, RowMapping, case, func, insert, inspect, select, update
from sqlalchemy import tuple_ as row_of

from backend.catalog.engine import LeaseClock, open_engine, reading, writing
from backend.catalog.lanes import LANES
from backend.catalog.rebuilding import keep_others_out, make_due, make_due_since
from backend.catalog.refusals import try_refused_again
from backend.catalog.rows import in_parts, named
from backend.catalog.tables import DUE, LEASED, LIVE, generations, products
from backend.domain.generation import FIRST, LATER, Generation, IndexState, Told
from backend.domain.product import ProductKey
from backend.domain.work import Work
from backend.errors import Conflict
from backend.ports import Clock, Space

_g = generations.c
_SERVING = _g.state == IndexState.SERVING.value
_HELD: ColumnElement[bool] = LIVE & products.c.claimed  # what no worker ever took up is nowhere in any index
_WRITING_LANES = [lane.value for work, lanes in LANES.items() if work is not Work.FETCH for lane in lanes]
_CAN_SERVE = {IndexState.BUILDING.value, IndexState.READY.value, IndexState.KEPT.value}


def serving_number(url: str) -> int:
    """Which generation serves, by a catalog that is not opened otherwise and may be of an earlier version.

    Raises `errors.CatalogUnavailable`.
    """
    engine = open_engine(url, connections=1)
    try:
        with reading(engine) as connection:
            if not inspect(connection).has_table(generations.name):
                return FIRST
            return connection.scalar(select(_g.number).where(_SERVING)) or FIRST
    finally:
        engine.dispose()


class SqlIndexes:
    """Generations of the index, see `backend.ports.Indexes`. Safe to share between threads and processes."""

    def __init__(self, engine: Engine, clock: Clock, lease_clock: LeaseClock | None = None) -> None:
        """`lease_clock`: what leases and holds go by; `clock` unless another is given."""
        self._engine = engine
        self._clock = clock
        self._lease_clock = lease_clock or (lambda _: clock())

    def generations(self) -> list[Generation]:
        """See the port."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(generations).order_by(_g.number)).mappings()
            return [_generation(row) for row in rows]

    def admits(self, number: int) -> bool:
        """See the port. One row: every batch asks this."""
        with reading(self._engine) as connection:
            serving = connection.execute(select(_g.number, _g.held_until).where(_SERVING)).one_or_none()
            if serving is None:
                return number == FIRST
            held = serving.held_until is not None and serving.held_until > self._lease_clock(connection)
            return bool(serving.number == number) and not held

    def begin(self, space: Space, serving: Space) -> Generation:
        """See the port."""
        with writing(self._engine) as connection:
            now = self._clock()
            last = connection.scalar(select(func.max(_g.number)))
            if last is None:
                last = FIRST
                # Since when it serves nobody knows; that it ever did must stand there, for it is kept one day.
                first = {"state": IndexState.SERVING.value, "filled": True, "served_at": now}
                connection.execute(insert(generations).values(_new(FIRST, serving, now) | first))
            total = connection.scalar(_countable()) or 0
            connection.execute(insert(generations).values(_new(last + 1, space, now) | {"total": total}))
            made = connection.execute(select(generations).where(_g.number == last + 1)).mappings().one()
            return _generation(made)

    def record(self, generation: Generation) -> None:
        """See the port."""
        self._change(generation.number, _progress(generation) | {"updated_at": self._clock()})

    def announce(self, number: int) -> None:
        """See the port."""
        with writing(self._engine) as connection:
            # All rows, as `switch` locks them: in another order the two could wait for each other.
            locked = connection.execute(select(_g.number, _g.state).order_by(_g.number).with_for_update())
            state = {row.number: row.state for row in locked}.get(number)
            if state == IndexState.SERVING.value:
                return
            if state not in _CAN_SERVE:
                raise Conflict(f"the index's generation {number} is gone")
            _withdraw(connection, _g.number != number, LATER)
            ready = {"state": IndexState.READY.value, "detail": None}
            connection.execute(update(generations).where(_g.number == number).values(ready))

    def withdraw(self, number: int, detail: str) -> None:
        """See the port."""
        with writing(self._engine) as connection:
            _withdraw(connection, _g.number == number, detail)

    def hold(self, seconds: float) -> None:
        """See the port."""
        with writing(self._engine) as connection:
            until = self._lease_clock(connection) + timedelta(seconds=seconds)
            connection.execute(update(generations).where(_SERVING).values(held_until=until))

    def let_go(self) -> None:
        """See the port."""
        with writing(self._engine) as connection:
            connection.execute(update(generations).values(held_until=None))

    def working(self) -> int:
        """See the port. Fetching is left out: a slow host is no reason to wait, and the index is not written to.

        A lease that ran out counts until it is returned: its worker may still settle.
        """
        with reading(self._engine) as connection:
            held = LEASED & products.c.lane.in_(_WRITING_LANES)
            return connection.scalar(select(func.count()).where(held)) or 0

    def switch(self, number: int, looked_at: datetime) -> int:
        """See the port.

        Nobody claims a product while the leases end, so a worker that has one either loses it here, or asks `admits`
        after this transaction and is refused.
        """
        with writing(self._engine) as connection:
            keep_others_out(connection)
            locked = select(generations).order_by(_g.number).with_for_update()
            rows = connection.execute(locked).mappings().all()
            wanted = next((row for row in rows if row["number"] == number and row["state"] in _CAN_SERVE), None)
            if wanted is None:
                raise Conflict(f"the index's generation {number} is not ready to serve")
            now = self._clock()
            _retire(connection, number, now)
            serving = {"state": IndexState.SERVING.value, "served_at": now, "detail": None, "gaps": []}
            connection.execute(update(generations).where(_g.number == number).values(serving))
            _end_leases(connection)
            due = try_refused_again(connection, now) if wanted["served_at"] is not None else 0
            due += make_due_since(connection, looked_at, now)
            for part in in_parts(_keys(wanted["gaps"])):
                due += make_due(connection, named(products, part) & LIVE & ~DUE, now)
            return due

    def drop(self, number: int) -> None:
        """See the port."""
        with writing(self._engine) as connection:
            gone = (_g.number == number) & ~_SERVING
            connection.execute(update(generations).where(gone).values(state=IndexState.DROPPED.value))

    def forget(self, number: int) -> None:
        """See the port."""
        with writing(self._engine) as connection:
            later = connection.scalar(select(func.count()).select_from(generations).where(_g.number > number))
            if later:
                dropped = _g.state == IndexState.DROPPED.value
                connection.execute(generations.delete().where(_g.number == number, dropped))

    def countable(self) -> int:
        """See the port."""
        with reading(self._engine) as connection:
            return connection.scalar(_countable()) or 0

    def keys_after(self, after: ProductKey | None, limit: int) -> list[ProductKey]:
        """See the port. In the database's own order, which its index of the keys has too."""
        p = products.c
        wanted = select(p.merchant, p.product_id).where(_HELD).order_by(p.merchant, p.product_id).limit(limit)
        if after is not None:
            wanted = wanted.where(row_of(p.merchant, p.product_id) > (after.merchant, after.product_id))
        with reading(self._engine) as connection:
            return [ProductKey(*row) for row in connection.execute(wanted)]

    def told_since(self, moment: datetime) -> list[Told]:
        """See the port."""
        p = products.c
        told = select(p.merchant, p.product_id, p.indexed_version, p.indexed_at).where(p.indexed_at >= moment)
        with reading(self._engine) as connection:
            rows = connection.execute(told.order_by(p.indexed_at))
            return [Told(ProductKey(row.merchant, row.product_id), row.indexed_version, row.indexed_at) for row in rows]

    def _change(self, number: int, values: dict[str, Any]) -> None:
        with writing(self._engine) as connection:
            connection.execute(update(generations).where(_g.number == number).values(values))


def _withdraw(connection: Connection, which: ColumnElement[bool], detail: str) -> None:
    before = case((_g.served_at.is_not(None), IndexState.KEPT.value), else_=IndexState.BUILDING.value)
    ready = which & (_g.state == IndexState.READY.value)
    connection.execute(update(generations).where(ready).values(state=before, detail=detail))


def _retire(connection: Connection, number: int, now: datetime) -> None:
    """What was kept is dropped, what served is kept: up to this moment it was told everything."""
    kept = (_g.state == IndexState.KEPT.value) & (_g.number != number)
    connection.execute(update(generations).where(kept).values(state=IndexState.DROPPED.value))
    values = {"state": IndexState.KEPT.value, "told_before": now, "held_until": None}
    connection.execute(update(generations).where(_SERVING).values(values))


def _end_leases(connection: Connection) -> None:
    """No product is to blame, so no attempt is counted."""
    p = products.c
    blameless = case((p.attempts > 0, p.attempts - 1), else_=0)
    connection.execute(update(products).where(LEASED).values(lease=None, lease_until=None, attempts=blameless))


def _countable() -> Any:
    return select(func.count()).select_from(products).where(_HELD)


def _new(number: int, space: Space, now: datetime) -> dict[str, Any]:
    return {
        "number": number,
        "state": IndexState.BUILDING.value,
        "model": space.model,
        "dimension": space.dimension,
        "fingerprint": space.fingerprint,
        "created_at": now,
        "told_before": now,
        "total": 0,
        "done": 0,
        "filled": False,
        "gaps": [],
        "comparison": {},
    }


def _progress(generation: Generation) -> dict[str, Any]:
    after = generation.after
    return {
        "total": generation.total,
        "done": generation.done,
        "after_merchant": after.merchant if after else None,
        "after_product_id": after.product_id if after else None,
        "filled": generation.filled,
        "told_before": generation.told_before,
        "gaps": [list(key) for key in generation.gaps],
        "comparison": dict(generation.comparison),
        "detail": generation.detail,
    }


def _generation(row: RowMapping) -> Generation:
    after = None if row["after_merchant"] is None else ProductKey(row["after_merchant"], row["after_product_id"])
    plain = ("number", "model", "dimension", "fingerprint", "created_at", "told_before", "total", "done", "filled")
    also = ("detail", "served_at", "updated_at", "comparison")
    return Generation(
        state=IndexState(row["state"]),
        after=after,
        gaps=tuple(_keys(row["gaps"])),
        **{name: row[name] for name in (*plain, *also)},
    )


def _keys(stored: Sequence[Sequence[str]]) -> list[ProductKey]:
    return [ProductKey(merchant, product_id) for merchant, product_id in stored]
