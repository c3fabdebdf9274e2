"""What became of claimed products, written for a whole batch at once: one commit, a fixed number of statements.

Rows are locked in the order of `acceptance`: products by key, then jobs.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Row, RowMapping, bindparam, select, union_all, update

from backend.catalog.dropping import forget_dropped, take_back
from backend.catalog.lanes import FETCHED, Lane
from backend.catalog.rows import MERCHANTS_PER_STATEMENT, in_order, in_parts, named
from backend.catalog.tables import WAITING_ITEM, job_items, pictures, products
from backend.catalog.tallying import Tally, write_tallies
from backend.domain.job import ItemState
from backend.domain.picture import Picture
from backend.domain.product import ProductKey
from backend.domain.work import Claim, Fetching, Outcome


@dataclass(frozen=True, slots=True)
class _Verdict:
    """An outcome beside the row it is about, as the row is now."""

    outcome: Outcome
    row: RowMapping

    @property
    def current(self) -> bool:
        """Whether nothing was accepted since the claim: only then does the outcome speak of what the row shows."""
        return bool(self.row["version"] == self.outcome.claim.version)

    def product_columns(self, now: datetime) -> dict[str, Any]:
        searchable_at = self.row["searchable_at"] if self.outcome.code else now
        return {
            "at_merchant": self.outcome.claim.key.merchant,
            "at_product_id": self.outcome.claim.key.product_id,
            "indexed_version": self.outcome.claim.version,
            "indexed_at": now if self.outcome.told else self.row["indexed_at"],
            "code": self.outcome.code if self.current else None,
            "detail": self.outcome.detail if self.current else None,
            "searchable_at": None if self.row["deleted"] else searchable_at,
        }

    def item_columns(self, now: datetime) -> dict[str, Any]:
        state = ItemState.DELETED if self.row["deleted"] else ItemState.SEARCHABLE
        if self.outcome.code:
            state = ItemState.FAILED
        return {
            "to_state": state.value,
            "to_code": self.outcome.code,
            "to_detail": self.outcome.detail,
            "to_searchable_at": now if state is ItemState.SEARCHABLE else None,
            "to_attempts": self.outcome.claim.attempts,
        }


def settle_claims(connection: Connection, outcomes: Sequence[Outcome], now: datetime) -> None:
    """Products, pictures, items and jobs, for those outcomes whose lease is still their claim's."""
    rows = held_rows(connection, [outcome.claim for outcome in outcomes])
    verdicts = {
        outcome.claim.key: _Verdict(outcome, rows[outcome.claim.key])
        for outcome in sorted(outcomes, key=lambda outcome: outcome.claim.key)
        if outcome.claim.key in rows
    }
    if not verdicts:
        return
    connection.execute(_SETTLE_PRODUCT, [verdict.product_columns(now) for verdict in verdicts.values()])
    current = [verdict.outcome for verdict in verdicts.values() if verdict.current]
    _write_pictures(connection, [(outcome.claim.key, outcome.pictures) for outcome in current])
    # What the index was not told of stays noted: the next version's worker buries what this one should have.
    forget_dropped(connection, [key for key, verdict in verdicts.items() if verdict.outcome.told])
    write_tallies(connection, _settle_items(connection, verdicts, now), now)


def record_fetched(connection: Connection, fetchings: Sequence[Fetching]) -> None:
    """Hashes and refusals of pictures, and the lane the product goes on in, see `backend.ports.Ledger`."""
    rows = held_rows(connection, [fetching.claim for fetching in fetchings])
    held = [fetching for fetching in fetchings if fetching.claim.key in rows]
    held.sort(key=lambda fetching: fetching.claim.key)
    if held:
        connection.execute(_RECORD_FETCH, [_fetch_columns(item, rows[item.claim.key]) for item in held])
    current = [item for item in held if rows[item.claim.key]["version"] == item.claim.version]
    _write_pictures(connection, [(item.claim.key, item.pictures) for item in current])
    take_back(connection, [item.claim.key for item in current])


def held_rows(connection: Connection, claims: Iterable[Claim]) -> dict[ProductKey, RowMapping]:
    """The rows, locked, of those claims whose lease is still theirs."""
    found: dict[ProductKey, RowMapping] = {}
    leases = {claim.key: claim.lease for claim in claims}
    p = products.c
    for part in in_parts(leases):
        state = (p.version, p.deleted, p.searchable_at, p.indexed_at, p.lease, p.lane, p.due_at, p.fetches)
        rows = select(p.merchant, p.product_id, *state).where(named(products, part))
        ordered = rows.order_by(*in_order(connection, products)).with_for_update(key_share=True)
        for row in connection.execute(ordered).mappings():
            key = ProductKey(row["merchant"], row["product_id"])
            if row["lease"] == leases[key]:
                found[key] = row
    return found


def _fetch_columns(fetching: Fetching, row: RowMapping) -> dict[str, Any]:
    """A product handed on keeps its place among those that wait; one that moved on keeps everything but the lease."""
    place = {"lane": row["lane"], "due_at": row["due_at"], "fetches": row["fetches"]}
    if row["version"] == fetching.claim.version:
        if fetching.again_at is None:
            place |= {"lane": FETCHED.get(Lane(row["lane"]), row["lane"]), "fetches": 0}
        else:
            place |= {"due_at": fetching.again_at, "fetches": max(1, row["fetches"] + fetching.tried)}
    return {"at_merchant": row["merchant"], "at_product_id": row["product_id"], **place}


def _settle_items(connection: Connection, verdicts: Mapping[ProductKey, _Verdict], now: datetime) -> dict[str, Tally]:
    """End the items that wait for these versions; what has to be counted for their jobs."""
    tallies: dict[str, Tally] = defaultdict(Tally)
    ended: list[dict[str, Any]] = []
    for item in _waiting_items(connection, list(verdicts)):
        verdict = verdicts[ProductKey(item.merchant, item.product_id)]
        if item.version != verdict.outcome.claim.version:
            continue  # it waits for a newer one: a change supersedes all older ones
        columns = verdict.item_columns(now)
        ended.append({"of_job": item.job_id, "of_row": item.row, **columns})
        tally = tallies[item.job_id]
        tally.move(ItemState.PENDING, ItemState(columns["to_state"]))
        tally.embedded += verdict.outcome.embedded
        tally.reused += verdict.outcome.reused
        tally.worked = True
    if ended:
        connection.execute(_SETTLE_ITEM, ended)
    return tallies


def _waiting_items(connection: Connection, keys: Iterable[ProductKey]) -> Iterator[Row[Any]]:
    """Merchant by merchant, put together by UNION: for one condition that names 32 merchants SQLite reads every item
    that waits, for all of them.
    """
    i = job_items.c
    merchants = [list(group) for _, group in groupby(sorted(keys), key=itemgetter(0))]
    items = select(i.job_id, i.row, i.merchant, i.product_id, i.version)
    for start in range(0, len(merchants), MERCHANTS_PER_STATEMENT):
        some = merchants[start : start + MERCHANTS_PER_STATEMENT]
        yield from connection.execute(union_all(*(items.where(named(job_items, part), WAITING_ITEM) for part in some)))


def _write_pictures(connection: Connection, judged: Iterable[tuple[ProductKey, Sequence[Picture]]]) -> None:
    """By position: all pictures of a version that is still the row's, or none."""
    rows = [
        {
            "at_merchant": key.merchant,
            "at_product_id": key.product_id,
            "at_position": position,
            "to_content": picture.content_hash,
            "to_state": picture.state.value,
            "to_code": picture.code,
            "to_detail": picture.detail,
        }
        for key, given in judged
        for position, picture in enumerate(given)
    ]
    if rows:
        connection.execute(_WRITE_PICTURE, rows)


_THIS = (products.c.merchant == bindparam("at_merchant")) & (products.c.product_id == bindparam("at_product_id"))

_SETTLE_PRODUCT = update(products).where(_THIS).values(lease=None, lease_until=None, attempts=0)

_RECORD_FETCH = update(products).where(_THIS).values(lease=None, lease_until=None, attempts=0)

_WRITE_PICTURE = (
    update(pictures)
    .where(
        pictures.c.merchant == bindparam("at_merchant"),
        pictures.c.product_id == bindparam("at_product_id"),
        pictures.c.position == bindparam("at_position"),
    )
    .values(
        content_hash=bindparam("to_content"),
        state=bindparam("to_state"),
        code=bindparam("to_code"),
        detail=bindparam("to_detail"),
    )
)

_SETTLE_ITEM = (
    update(job_items)
    .where(job_items.c.job_id == bindparam("of_job"), job_items.c.row == bindparam("of_row"))
    .values(
        state=bindparam("to_state"),
        code=bindparam("to_code"),
        detail=bindparam("to_detail"),
        searchable_at=bindparam("to_searchable_at"),
        attempts=bindparam("to_attempts"),
    )
)
