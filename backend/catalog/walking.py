"""Walk the items of a job in parts: 100,000 of them in one transaction would keep everybody else from writing."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from sqlalchemy import Connection, Engine, RowMapping, select

from backend.catalog.engine import writing
from backend.catalog.rows import in_order, in_parts, named
from backend.catalog.tables import job_items, products
from backend.domain.job import ItemState
from backend.domain.product import ProductKey

ITEMS_PER_TRANSACTION = 500  # below 0.1 s on SQLite, where nobody else writes meanwhile


def walk_items(
    engine: Engine, job_id: str, state: ItemState, act: Callable[[Connection, Sequence[RowMapping]], int]
) -> tuple[int, int]:
    """Give a job's items in a state to `act`, in parts, each in a transaction of its own; it says how many it changed.

    How many it changed in all, and how many it left.
    """
    changed = seen = after_row = 0
    while True:
        some = select(job_items).where(
            job_items.c.job_id == job_id, job_items.c.state == state.value, job_items.c.row > after_row
        )
        with writing(engine) as connection:
            in_order = some.order_by(job_items.c.row).limit(ITEMS_PER_TRANSACTION)
            items = connection.execute(in_order).mappings().all()
            if not items:
                return changed, seen - changed
            changed += act(connection, items)
        seen += len(items)
        after_row = items[-1]["row"]


def locked_products(connection: Connection, items: Iterable[RowMapping]) -> Mapping[ProductKey, RowMapping]:
    """The products these items are about, held until the end of the transaction."""
    keys = [key_of(item) for item in items if item["product_id"] is not None]
    found: dict[ProductKey, RowMapping] = {}
    for part in in_parts(keys):
        rows = select(products).where(named(products, part)).order_by(*in_order(connection, products))
        for row in connection.execute(rows.with_for_update(key_share=True)).mappings():
            found[ProductKey(row["merchant"], row["product_id"])] = row
    return found


def key_of(item: RowMapping) -> ProductKey:
    """The product an item is about."""
    return ProductKey(item["merchant"], item["product_id"])
