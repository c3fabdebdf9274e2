"""Take changes of products into the tables, within the caller's transaction: one way for uploads and for imports.

Rows are locked in the order of their keys, products before jobs, here and in `settling`: so two transactions on
PostgreSQL never wait for each other in a circle. (SQLite has one writer at a time.)
"""

import secrets
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Insert, RowMapping, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from backend.catalog.dropping import Dropping, note_dropped
from backend.catalog.lanes import Lane, lane_of
from backend.catalog.rows import in_order, in_parts, item_columns, named, picture_columns, product_columns
from backend.catalog.tables import WAITING_ITEM, job_items, pictures, products
from backend.catalog.tallying import Tally
from backend.domain.job import ItemState, JobItem
from backend.domain.picture import Picture, PictureState
from backend.domain.product import Product, ProductKey
from backend.domain.work import Accepted, Change
from backend.errors import Conflict, ProductNotFound


def new_job_id(now: datetime) -> str:
    """32 hex digits: 12 of milliseconds, so that ids sort by time and inserts stay at the index's end, 20 random."""
    return f"{int(now.timestamp() * 1000):012x}{secrets.token_hex(10)}"


@dataclass(slots=True)
class _Draft:
    """A product's row while the changes of one call are applied to it, and what of it has to be written.

    `unjudged`: it has pictures that are here and that no worker came to an end with.
    """

    key: ProductKey
    version: int
    live: bool
    waiting: bool
    lane: Lane
    due_at: datetime
    attempts: int
    fetches: int
    searchable_at: datetime | None
    created_at: datetime
    created_by: str | None
    product: Product | None = None
    pictures: tuple[Picture, ...] | None = None
    unjudged: bool = False
    replaced: set[str] = field(default_factory=set)

    def apply(self, change: Change, job_id: str, now: datetime, *, bulk: bool) -> bool:
        """Take one change in; whether it made a new product. Raises `ProductNotFound` or `Conflict`."""
        if change.expected_version not in (None, self.version):
            raise Conflict(f"{self.key.product_id} is at version {self.version}, not {change.expected_version}")
        if change.product is not None and change.pictures is None and not self.live:
            raise ProductNotFound(f"{self.key.product_id} is not there: only a product with pictures can be created")
        created = change.product is not None and not self.live
        self._queue(change, now, bulk=bulk)
        if change.product is None or change.pictures is not None:
            self.replaced |= _hashes_of(self.pictures)
            self.pictures = change.pictures or ()
        self.product = change.product or self.product
        if created:
            self.created_at, self.created_by = now, job_id
        if created or change.product is None:
            self.searchable_at = None
        self.live = change.product is not None
        self.version += 1
        return created

    def _queue(self, change: Change, now: datetime, *, bulk: bool) -> None:
        """A product that waits already keeps its place: one that changes every minute would never have its turn."""
        if change.product is not None and change.pictures is None and self.waiting and self.lane != Lane.FACTS:
            # New facts while pictures still wait: they must not slip the pictures into the quick lane, nor be a new
            # life for pictures that end workers, nor hurry a host that fails.
            return
        # Whoever is given new facts embeds pictures that were left unjudged too, and that is not for the quick lane.
        facts_alone = change.product is None or (change.pictures is None and not self.unjudged)
        lane = Lane.FACTS if facts_alone else lane_of(change.pictures or (), bulk=bulk)
        self.due_at = min(self.due_at, now) if self.waiting and lane == self.lane else now
        self.lane = lane
        self.waiting = True
        self.attempts = self.fetches = 0


def accept_changes(
    connection: Connection, job_id: str, changes: Sequence[Change], now: datetime, *, bulk: bool
) -> tuple[list[Accepted], dict[str, Tally]]:
    """Versions, items, products and pictures of `changes`, in order, and what has to be counted for which job.

    Raises `errors.ProductNotFound` for new facts of a product that is not there, `errors.Conflict` for one that has
    moved on.
    """
    drafts = _locked(connection, [change.key for change in changes], now)
    _note_unjudged(connection, drafts, [change.key for change in changes if change.product and change.pictures is None])
    accepted = []
    for change in changes:
        created = drafts[change.key].apply(change, job_id, now, bulk=bulk)
        accepted.append(Accepted(job_id, change.key, drafts[change.key].version, created))
    tallies: dict[str, Tally] = defaultdict(Tally)
    _supersede(connection, drafts, tallies)
    _insert_items(connection, zip(changes, accepted, strict=True), drafts, tallies[job_id])
    _write_products(connection, drafts.values(), now)
    _write_pictures(connection, drafts.values())
    return accepted, tallies


def _locked(connection: Connection, keys: Iterable[ProductKey], now: datetime) -> dict[ProductKey, _Draft]:
    """The rows, held until the end of the transaction.

    A product that is not there yet gets a row of version 0 first: a lock needs a row, and two callers who create the
    same product must not both count from nothing.
    """
    drafts: dict[ProductKey, _Draft] = {}
    p = products.c
    state = (p.version, p.indexed_version, p.deleted, p.searchable_at, p.created_at, p.created_by)
    place = (p.lane, p.due_at, p.attempts, p.fetches)
    for part in in_parts(keys):
        seats = [_seat(key, now) for key in part]
        connection.execute(_insert_missing(connection), seats)
        rows = select(p.merchant, p.product_id, *state, *place).where(named(products, part))
        held = rows.order_by(*in_order(connection, products)).with_for_update(key_share=True)
        for row in connection.execute(held).mappings():
            draft = _draft(row)
            drafts[draft.key] = draft
    return drafts


def _note_unjudged(connection: Connection, drafts: Mapping[ProductKey, _Draft], keys: Iterable[ProductKey]) -> None:
    p = pictures.c
    for part in in_parts(keys):
        some = named(pictures, part) & (p.state == PictureState.PENDING.value) & p.content_hash.is_not(None)
        for row in connection.execute(select(p.merchant, p.product_id).where(some).distinct()):
            drafts[ProductKey(*row)].unjudged = True


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
        attempts=row["attempts"],
        fetches=row["fetches"],
        searchable_at=row["searchable_at"],
        created_at=row["created_at"],
        created_by=row["created_by"],
    )


def _supersede(connection: Connection, drafts: Mapping[ProductKey, _Draft], tallies: Mapping[str, Tally]) -> None:
    """End the items of earlier calls that still wait for these products."""
    for part in in_parts(key for key, draft in drafts.items() if draft.version > 1):
        waiting = named(job_items, part) & WAITING_ITEM
        ended = update(job_items).where(waiting).values(state=ItemState.SUPERSEDED.value)
        for job_id in connection.scalars(ended.returning(job_items.c.job_id)):
            tallies[job_id].move(ItemState.PENDING, ItemState.SUPERSEDED)


def _insert_items(
    connection: Connection,
    pairs: Iterable[tuple[Change, Accepted]],
    drafts: Mapping[ProductKey, _Draft],
    tally: Tally,
) -> None:
    rows = []
    for change, accepted in pairs:
        last = accepted.version == drafts[change.key].version
        state = ItemState.PENDING if last else ItemState.SUPERSEDED
        item = JobItem(change.row, change.key.product_id, state=state, line=change.line)
        rows.append(item_columns(accepted.job_id, change.key.merchant, item, accepted.version))
        tally.items[state] += 1
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
            "attempts": draft.attempts,
            "fetches": draft.fetches,
            "searchable_at": draft.searchable_at,
            "created_at": draft.created_at,
            "created_by": draft.created_by,
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
    replaced = {draft.key: draft for draft in drafts if draft.pictures is not None}
    older = [key for key, draft in replaced.items() if draft.version > 1]  # a new product had none
    note_dropped(
        connection,
        [Dropping(key, it.version, _hashes_of(it.pictures), it.replaced) for key in older for it in [replaced[key]]],
    )
    for part in in_parts(older):
        connection.execute(delete(pictures).where(named(pictures, part)))
    rows = [row for key, draft in replaced.items() for row in picture_columns(key, draft.pictures or ())]
    if rows:
        connection.execute(insert(pictures), rows)


def _hashes_of(given: Iterable[Picture] | None) -> set[str]:
    return {picture.content_hash for picture in given or () if picture.content_hash is not None}


_WRITE_PRODUCT = (
    update(products)
    .where(products.c.merchant == bindparam("at_merchant"), products.c.product_id == bindparam("at_product_id"))
    .values(code=None, detail=None)
)
