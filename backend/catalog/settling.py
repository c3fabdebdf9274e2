"""What became of claimed products, written for a whole batch at once: one commit, a fixed number of statements.

Rows are locked in the order of `acceptance`: products by key, then jobs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, case, null, select, update

from backend.catalog.finishing import finish, jobs_waiting_for
from backend.catalog.rows import in_parts, named
from backend.catalog.tables import WAITING_ITEM, job_items, pictures, products
from backend.domain.job import ItemState
from backend.domain.product import ProductKey
from backend.ports import Outcome


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
            "code": self.outcome.code if self.current else None,
            "detail": self.outcome.detail if self.current else None,
            "searchable_at": None if self.row["deleted"] else searchable_at,
        }

    def item_columns(self, now: datetime) -> dict[str, Any]:
        state = ItemState.DELETED if self.row["deleted"] else ItemState.SEARCHABLE
        if self.outcome.code:
            state = ItemState.FAILED
        return {
            "at_merchant": self.outcome.claim.key.merchant,
            "at_product_id": self.outcome.claim.key.product_id,
            "of_version": self.outcome.claim.version,
            "to_state": state.value,
            "to_code": self.outcome.code,
            "to_detail": self.outcome.detail,
            "to_searchable_at": now if state is ItemState.SEARCHABLE else None,
        }


def settle_claims(connection: Connection, outcomes: Sequence[Outcome], now: datetime) -> None:
    """Products, pictures, items and jobs, for those outcomes whose lease is still their claim's."""
    rows = _locked(connection, [outcome.claim.key for outcome in outcomes])
    verdicts = [
        _Verdict(outcome, row)
        for outcome in outcomes
        if (row := rows.get(outcome.claim.key)) is not None and row["lease"] == outcome.claim.lease
    ]
    if not verdicts:
        return
    connection.execute(_SETTLE_PRODUCT, [verdict.product_columns(now) for verdict in verdicts])
    _settle_pictures(connection, [verdict.outcome for verdict in verdicts if verdict.current])
    ended: set[str] = set()
    for part in in_parts(verdict.outcome.claim.key for verdict in verdicts):
        ended |= jobs_waiting_for(connection, part)
    if ended:
        connection.execute(_SETTLE_ITEM, [verdict.item_columns(now) for verdict in verdicts])
        finish(connection, ended, now)


def _locked(connection: Connection, keys: Sequence[ProductKey]) -> dict[ProductKey, RowMapping]:
    found: dict[ProductKey, RowMapping] = {}
    p = products.c
    for part in in_parts(keys):
        rows = select(p.merchant, p.product_id, p.version, p.deleted, p.lease, p.searchable_at)
        ordered = rows.where(named(products, part)).order_by(p.merchant, p.product_id).with_for_update(key_share=True)
        for row in connection.execute(ordered).mappings():
            found[ProductKey(row["merchant"], row["product_id"])] = row
    return found


def _settle_pictures(connection: Connection, outcomes: Sequence[Outcome]) -> None:
    """By content, not by position: an outcome may name only the pictures it has something to say about."""
    rows = [
        {
            "at_merchant": outcome.claim.key.merchant,
            "at_product_id": outcome.claim.key.product_id,
            "of_content": picture.content_hash,
            "to_state": picture.state.value,
            "to_code": picture.code,
            "to_detail": picture.detail,
        }
        for outcome in outcomes
        for picture in outcome.pictures
        if picture.content_hash is not None
    ]
    if rows:
        connection.execute(_SETTLE_PICTURE, rows)


_SETTLE_PRODUCT = (
    update(products)
    .where(products.c.merchant == bindparam("at_merchant"), products.c.product_id == bindparam("at_product_id"))
    .values(
        indexed_version=bindparam("indexed_version"),
        code=bindparam("code"),
        detail=bindparam("detail"),
        searchable_at=bindparam("searchable_at"),
        lease=None,
        lease_until=None,
        attempts=0,
    )
)

_SETTLE_PICTURE = (
    update(pictures)
    .where(
        pictures.c.merchant == bindparam("at_merchant"),
        pictures.c.product_id == bindparam("at_product_id"),
        pictures.c.content_hash == bindparam("of_content"),
    )
    .values(state=bindparam("to_state"), code=bindparam("to_code"), detail=bindparam("to_detail"))
)

_its_version = job_items.c.version == bindparam("of_version")
_SETTLE_ITEM = (
    update(job_items)
    .where(
        job_items.c.merchant == bindparam("at_merchant"),
        job_items.c.product_id == bindparam("at_product_id"),
        job_items.c.version <= bindparam("of_version"),
        WAITING_ITEM,
    )
    .values(
        state=case((_its_version, bindparam("to_state")), else_=ItemState.SUPERSEDED.value),
        code=case((_its_version, bindparam("to_code")), else_=null()),
        detail=case((_its_version, bindparam("to_detail")), else_=null()),
        searchable_at=case((_its_version, bindparam("to_searchable_at", type_=job_items.c.searchable_at.type))),
    )
)
