"""Take changes of products into the tables, within the caller's transaction: one way for uploads and for imports.

Rows are locked in the order of their keys, products before jobs, here and in `settling`: so two transactions on
PostgreSQL never wait for each other in a circle. (SQLite has one writer at a time.)
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any

from sqlalchemy import Connection, Insert, RowMapping, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from backend.catalog.finishing import finish, jobs_waiting_for
from backend.catalog.rows import in_parts, item_columns, named, picture_columns, product_columns
from backend.catalog.tables import WAITING_ITEM, job_items, pictures, products
from backend.domain.job import ItemState, JobItem
from backend.domain.picture import Picture
from backend.domain.product import Product, ProductKey
from backend.errors import Conflict, ProductNotFound
from backend.ports import Accepted, Change


class Lane(IntEnum):
    """The order in which due products are handed out: what needs no model first, then who waits at a screen."""

    FACTS = 0
    UPLOAD = 1
    IMPORT = 2


def new_job_id(now: datetime) -> str:
    """32 hex digits: 12 of milliseconds, so that ids sort by time and inserts stay at the index's end, 20 random."""
    return f"{int(now.timestamp() * 1000):012x}{secrets.token_hex(10)}"


@dataclass(slots=True)
class _Draft:
    """A product's row while the changes of one call are applied to it, and what of it has to be written."""

    key: ProductKey
    version: int
    live: bool
    waiting: bool
    lane: Lane
    due_at: datetime
    searchable_at: datetime | None
    created_at: datetime
    product: Product | None = None
    pictures: tuple[Picture, ...] | None = None

    def apply(self, change: Change, lane: Lane, now: datetime) -> bool:
        """Take one change in; whether it made a new product. Raises `ProductNotFound` or `Conflict`."""
        if change.product is not None and change.pictures is None and not self.live:
            raise ProductNotFound(f"{self.key.product_id} is not there: only a product with pictures can be created")
        if change.expected_version not in (None, self.version):
            raise Conflict(f"{self.key.product_id} is at version {self.version}, not {change.expected_version}")
        created = change.product is not None and not self.live
        self._queue(self._lane(change, lane), now)
        if change.product is None:
            self.pictures = ()
        else:
            self.product = change.product
            self.pictures = self.pictures if change.pictures is None else change.pictures
        if created:
            self.created_at = now
        if created or change.product is None:
            self.searchable_at = None
        self.live = change.product is not None
        self.version += 1
        return created

    def _lane(self, change: Change, lane: Lane) -> Lane:
        if change.pictures is not None and change.product is not None:
            return lane
        # New facts of a product whose pictures still wait must not slip its pictures into the quick lane.
        return self.lane if self.waiting and change.product is not None else Lane.FACTS

    def _queue(self, lane: Lane, now: datetime) -> None:
        """A product that waits already keeps its place: one that changes every minute would never have its turn."""
        if not (self.waiting and lane == self.lane):
            self.due_at = now
        self.lane = lane
        self.waiting = True


def accept_changes(
    connection: Connection, job_id: str, changes: Sequence[Change], lane: Lane, now: datetime
) -> list[Accepted]:
    """Versions, items, products and pictures of `changes`, in order; `lane` is for those that bring pictures.

    Raises `errors.ProductNotFound` for new facts of a product that is not there, `errors.Conflict` for one that has
    moved on.
    """
    drafts = _locked(connection, [change.key for change in changes], now)
    accepted = []
    for change in changes:
        created = drafts[change.key].apply(change, lane, now)
        accepted.append(Accepted(job_id, change.key, drafts[change.key].version, created))
    ended = _supersede(connection, drafts)
    _insert_items(connection, zip(changes, accepted, strict=True), drafts)
    _write_products(connection, drafts.values(), now)
    _write_pictures(connection, drafts.values())
    finish(connection, ended, now)
    return accepted


def _locked(connection: Connection, keys: Iterable[ProductKey], now: datetime) -> dict[ProductKey, _Draft]:
    """The rows, held until the end of the transaction.

    A product that is not there yet gets a row of version 0 first: a lock needs a row, and two callers who create the
    same product must not both count from nothing.
    """
    drafts: dict[ProductKey, _Draft] = {}
    p = products.c
    state = (p.version, p.indexed_version, p.deleted, p.lane, p.due_at, p.searchable_at, p.created_at)
    for part in in_parts(keys):
        seats = [_seat(key, now) for key in part]
        connection.execute(_insert_missing(connection), seats)
        rows = select(p.merchant, p.product_id, *state).where(named(products, part)).order_by(p.merchant, p.product_id)
        for row in connection.execute(rows.with_for_update(key_share=True)).mappings():
            draft = _draft(row)
            drafts[draft.key] = draft
    return drafts


def _seat(key: ProductKey, now: datetime) -> dict[str, Any]:
    state = {"version": 0, "indexed_version": 0, "deleted": True, "lane": Lane.FACTS.value, "attempts": 0}
    times = {"due_at": now, "created_at": now, "updated_at": now}
    return {"merchant": key.merchant, "product_id": key.product_id, **product_columns(Product(key)), **state, **times}


def _insert_missing(connection: Connection) -> Insert:
    if connection.dialect.name == "postgresql":
        return postgresql.insert(products).on_conflict_do_nothing()
    return sqlite.insert(products).on_conflict_do_nothing()


def _draft(row: RowMapping) -> _Draft:
    return _Draft(
        key=ProductKey(row["merchant"], row["product_id"]),
        version=row["version"],
        live=not row["deleted"],
        waiting=row["indexed_version"] < row["version"],
        lane=Lane(row["lane"]),
        due_at=row["due_at"],
        searchable_at=row["searchable_at"],
        created_at=row["created_at"],
    )


def _supersede(connection: Connection, drafts: Mapping[ProductKey, _Draft]) -> set[str]:
    """End the items of earlier calls that still wait for these products; the jobs they belong to."""
    ended: set[str] = set()
    for part in in_parts(key for key, draft in drafts.items() if draft.version > 1):
        found = jobs_waiting_for(connection, part)
        if found:
            waiting = named(job_items, part) & WAITING_ITEM
            connection.execute(update(job_items).where(waiting).values(state=ItemState.SUPERSEDED.value))
        ended |= found
    return ended


def _insert_items(
    connection: Connection, pairs: Iterable[tuple[Change, Accepted]], drafts: Mapping[ProductKey, _Draft]
) -> None:
    rows = []
    for change, accepted in pairs:
        last = accepted.version == drafts[change.key].version
        item = JobItem(change.row, change.key.product_id, state=ItemState.PENDING if last else ItemState.SUPERSEDED)
        rows.append(item_columns(accepted.job_id, change.key.merchant, item, accepted.version))
    connection.execute(insert(job_items), rows)


def _write_products(connection: Connection, drafts: Iterable[_Draft], now: datetime) -> None:
    with_facts, without = [], []
    for draft in drafts:
        row = {
            "at_merchant": draft.key.merchant,
            "at_product_id": draft.key.product_id,
            "version": draft.version,
            "deleted": not draft.live,
            "lane": draft.lane.value,
            "due_at": draft.due_at,
            "searchable_at": draft.searchable_at,
            "created_at": draft.created_at,
            "updated_at": now,
        }
        if draft.product is None:
            without.append(row)
        else:
            with_facts.append(row | product_columns(draft.product))
    for rows in (with_facts, without):
        if rows:
            connection.execute(_WRITE_PRODUCT, rows)


def _write_pictures(connection: Connection, drafts: Iterable[_Draft]) -> None:
    replaced = {draft.key: draft.pictures for draft in drafts if draft.pictures is not None}
    for part in in_parts(replaced):
        connection.execute(delete(pictures).where(named(pictures, part)))
    rows = [row for key, given in replaced.items() for row in picture_columns(key, given)]
    if rows:
        connection.execute(insert(pictures), rows)


_WRITE_PRODUCT = (
    update(products)
    .where(products.c.merchant == bindparam("at_merchant"), products.c.product_id == bindparam("at_product_id"))
    .values(attempts=0, code=None, detail=None)
)
