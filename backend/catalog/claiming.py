"""Which due products a worker gets: turns by merchant, each merchant's own in the order in which they wait."""

import secrets
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    bindparam,
    exists,
    literal,
    literal_column,
    or_,
    select,
    update,
)

from backend.catalog.lanes import LANES
from backend.catalog.tables import DUE, products, turns
from backend.domain.fairness import Turns, after, shares
from backend.domain.product import ProductKey
from backend.domain.work import Claim, Work

Rows = Sequence[RowMapping]

_ANY = 1_000_000  # more than there are: merchants, attempts of a product


def merchants_waiting(connection: Connection, work: Work, now: datetime, limit: int = _ANY) -> set[str]:
    """Up to `limit` merchants a lane with a product that is due for this work by now and that nobody holds.

    The index is entered once a merchant instead of read: one of them may have 100,000 products waiting.
    """
    found: set[str] = set()
    for lane in LANES[work]:
        found.update(connection.scalars(_MERCHANTS, {"in_lane": lane.value, "by": now, "most": limit}))
    return found


def next_batch(
    connection: Connection,
    work: Work,
    limit: int,
    now: datetime,
    weights: Mapping[str, int],
    set_aside: Callable[[Rows], bool],
) -> Rows:
    """The rows a worker may take together, locked; the turns they cost are noted.

    `set_aside` ends those of some rows that used up their attempts; whether there were any. On PostgreSQL claims of one
    kind of work follow each other: its row of `turns` is locked.
    """
    place = turns.c.work == work.value
    kept = connection.execute(select(turns).where(place).with_for_update()).mappings().one()
    before = Turns(kept["virtual_time"], kept["passes"])
    merchants = merchants_waiting(connection, work, now)
    search = _Search(connection, work, now, set_aside)
    batch = search.batch(before, merchants, weights, limit)
    if batch:
        taken = Counter(row["merchant"] for row in batch)
        then = after(before, merchants, weights, taken - Counter(search.passed_over))
        noted = {"virtual_time": then.virtual_time, "passes": dict(then.passes)}
        connection.execute(update(turns).where(place).values(noted))
    return batch


class _Search:
    """One look for a batch. A product whose last worker did not come back is alone, so that it takes no other with it.

    It waits until its merchant is first. `passed_over`: merchants with such a product; each is spared the cost of one
    turn, so that it comes to be first however busy the others are.
    """

    def __init__(self, connection: Connection, work: Work, now: datetime, set_aside: Callable[[Rows], bool]) -> None:
        self._connection = connection
        self._work = work
        self._now = now
        self._set_aside = set_aside
        self.passed_over: set[str] = set()

    def batch(self, before: Turns, merchants: Collection[str], weights: Mapping[str, int], limit: int) -> Rows:
        """A product that is to be alone, or up to `limit` others; what one merchant cannot use goes to the next."""
        waiting = dict.fromkeys(merchants, limit)
        found: dict[str, Rows] = {}
        while True:
            slots = shares(before, waiting, weights, limit)
            for merchant, count in slots.items():
                if len(found.get(merchant, ())) < count:
                    rows = self._first(merchant, count)
                    while self._set_aside(rows):
                        rows = self._first(merchant, count)
                    if not any(found.values()) and rows and rows[0]["attempts"]:
                        return rows[:1]
                    found[merchant] = self._untried(merchant, rows, count)
                    if len(found[merchant]) < count:
                        waiting[merchant] = len(found[merchant])
            if all(waiting[merchant] >= count for merchant, count in slots.items()):
                return [row for merchant, count in slots.items() for row in found[merchant][:count]]

    def _untried(self, merchant: str, rows: Rows, count: int) -> Rows:
        if not any(row["attempts"] for row in rows):
            return rows
        self.passed_over.add(merchant)
        return self._first(merchant, count, most_attempts=0)

    def _first(self, merchant: str, count: int, most_attempts: int = _ANY) -> Rows:
        """Of one merchant, lane by lane. Rows another worker is just claiming are passed over, not waited for."""
        rows: list[RowMapping] = []
        which = {"of_merchant": merchant, "by": self._now, "most_attempts": most_attempts}
        for lane in LANES[self._work]:
            if len(rows) < count:
                here = {"in_lane": lane.value, "most": count - len(rows)}
                rows += self._connection.execute(_FIRST, which | here).mappings()
        return rows


def lease_rows(connection: Connection, rows: Rows, until: datetime) -> list[Claim]:
    """Lease these rows and count the attempt."""
    lease = secrets.token_hex(16)
    claims = [
        Claim(
            ProductKey(row["merchant"], row["product_id"]), row["version"], lease, row["attempts"] + 1, row["fetches"]
        )
        for row in rows
    ]
    held = {"lease": lease, "lease_until": until}
    if claims:
        connection.execute(
            _LEASE,
            [
                {"at_merchant": claim.key.merchant, "at_product_id": claim.key.product_id, **held}
                for claim in sorted(claims, key=lambda claim: claim.key)
            ],
        )
    return claims


_p = products.c
_by = bindparam("by", type_=_p.due_at.type)
# Only what was fetched in vain is to wait for a moment. Of all others the time gives the order alone: when the clock is
# set back, what was accepted before must not wait until it has caught up.
_WAITS: ColumnElement[bool] = (
    DUE
    & (_p.lane == bindparam("in_lane"))
    & or_(_p.fetches == literal_column("0"), _p.due_at <= _by)
    & or_(_p.lease.is_(None), _p.lease_until <= _by)
)


def _merchants() -> Select[Any]:
    """Step from each merchant in the lane to the next, and keep those with something to claim now."""
    lane = DUE & (_p.lane == bindparam("in_lane"))
    first = select(_p.merchant).where(lane).order_by(_p.merchant).limit(literal(1)).scalar_subquery()
    steps = select(first.label("merchant")).cte("steps", recursive=True)
    following = select(_p.merchant).where(lane, _p.merchant > steps.c.merchant).order_by(_p.merchant).limit(literal(1))
    steps = steps.union_all(
        select(following.correlate(steps).scalar_subquery()).select_from(steps).where(steps.c.merchant.is_not(None))
    )
    waits = exists(select(literal(1)).where(_WAITS, _p.merchant == steps.c.merchant).correlate(steps))
    return select(steps.c.merchant).where(steps.c.merchant.is_not(None), waits).limit(bindparam("most"))


_MERCHANTS = _merchants()

_FIRST = (
    select(_p.merchant, _p.product_id, _p.version, _p.attempts, _p.fetches, _p.code, _p.deleted)
    .where(_WAITS, _p.merchant == bindparam("of_merchant"), _p.attempts <= bindparam("most_attempts"))
    .order_by(_p.due_at, _p.product_id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True, key_share=True)
)

_LEASE = (
    update(products)
    .where(_p.merchant == bindparam("at_merchant"), _p.product_id == bindparam("at_product_id"))
    .values(attempts=_p.attempts + 1, claimed=True)
)
