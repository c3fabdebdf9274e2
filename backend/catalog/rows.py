"""Rows <-> domain values."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import reduce
from itertools import groupby
from operator import add, itemgetter
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, RowMapping, Table, and_, collate, or_

from backend.catalog.tables import jobs
from backend.domain.importing import FileForm, ImportMode, ImportOptions
from backend.domain.job import ItemState, Job, JobItem, JobKind
from backend.domain.picture import Picture, PictureState
from backend.domain.product import AttributeValue, Product, ProductKey, ProductRecord
from backend.errors import InvalidField

KEYS_PER_STATEMENT = 1_000  # far below the parameters a statement may have: SQLite 32,766, PostgreSQL 65,535
MERCHANTS_PER_STATEMENT = 100  # SQLite takes 500 terms of a UNION, and conditions nested 1,000 deep, as OR is

_PRICE_PLACES = 4  # the finest minor unit in ISO 4217


def in_parts(keys: Iterable[ProductKey]) -> Iterator[list[ProductKey]]:
    """The keys, each once, in parts for one statement, and in order: all transactions lock rows in the same order."""
    part: list[ProductKey] = []
    merchants: set[str] = set()
    for key in sorted(set(keys)):
        merchants.add(key.merchant)
        if len(part) == KEYS_PER_STATEMENT or len(merchants) > MERCHANTS_PER_STATEMENT:
            yield part
            part, merchants = [], {key.merchant}
        part.append(key)
    if part:
        yield part


def named(table: Table, keys: Collection[ProductKey]) -> ColumnElement[bool]:
    """The rows of these products: one of `in_parts`.

    Grouped by merchant on purpose: for `(merchant, product_id) IN (VALUES ...)` SQLite reads the whole table.
    """
    groups = groupby(sorted(keys), key=itemgetter(0))
    return or_(
        *(
            and_(table.c.merchant == merchant, table.c.product_id.in_([key.product_id for key in group]))
            for merchant, group in groups
        )
    )


def in_order(connection: Connection, table: Table) -> list[ColumnElement[Any]]:
    """The order in which rows are locked: by key, and by its bytes, as Python sorts the keys of single statements.

    SQLite compares bytes anyway. PostgreSQL goes by its language, in which `a` comes before `B`: transactions that lock
    the one way and the other would wait for each other in a circle.
    """
    key = table.primary_key.columns
    return [collate(column, "C") for column in key] if connection.dialect.name == "postgresql" else list(key)


def product_columns(product: Product) -> dict[str, Any]:
    """A product's facts as columns. Raises `errors.InvalidField` for a price this cannot keep exactly."""
    units, places = _price_columns(product.price)
    return {
        "title": product.title,
        "description": product.description,
        "category": product.category,
        "brand": product.brand,
        "price_units": units,
        "price_places": places,
        "currency": product.currency,
        "in_stock": product.in_stock,
        "url": product.url,
        "attributes": {
            name: list(value) if isinstance(value, tuple) else value for name, value in product.attributes.items()
        },
    }


def _price_columns(price: Decimal | None) -> tuple[int | None, int | None]:
    if price is None:
        return None, None
    units = price.scaleb(_PRICE_PLACES)
    if units != units.to_integral_value():
        raise InvalidField(f"a price has at most {_PRICE_PLACES} decimals", field="price")
    exponent = price.as_tuple().exponent
    return int(units), min(max(-int(exponent), 0), _PRICE_PLACES)


def _price(units: int | None, places: int | None) -> Decimal | None:
    if units is None or places is None:
        return None
    return Decimal(units).scaleb(-_PRICE_PLACES).quantize(Decimal(1).scaleb(-places))


def record_of(row: RowMapping, pictures: tuple[Picture, ...], dropped: tuple[str, ...]) -> ProductRecord:
    """A row of `products` with its pictures in order, and the content hashes of those it no longer has."""
    return ProductRecord(
        product=Product(
            key=ProductKey(row["merchant"], row["product_id"]),
            title=row["title"],
            description=row["description"],
            category=row["category"],
            brand=row["brand"],
            price=_price(row["price_units"], row["price_places"]),
            currency=row["currency"],
            in_stock=row["in_stock"],
            url=row["url"],
            attributes=_attributes(row["attributes"]),
        ),
        pictures=pictures,
        version=row["version"],
        indexed_version=row["indexed_version"],
        deleted=row["deleted"],
        code=row["code"],
        detail=row["detail"],
        searchable_at=row["searchable_at"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        dropped=dropped,
    )


def _attributes(stored: Mapping[str, Any]) -> dict[str, AttributeValue]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()}


def picture_columns(key: ProductKey, pictures: Sequence[Picture]) -> list[dict[str, Any]]:
    """A product's pictures as rows, numbered from 0."""
    return [
        {
            "merchant": key.merchant,
            "product_id": key.product_id,
            "position": position,
            "content_hash": picture.content_hash,
            "state": picture.state.value,
            "code": picture.code,
            "detail": picture.detail,
            "name": picture.name,
            "url": picture.url,
        }
        for position, picture in enumerate(pictures)
    ]


def picture_of(row: RowMapping) -> Picture:
    """A row of `pictures`."""
    state = PictureState(row["state"])
    return Picture(row["content_hash"], state, row["code"], row["detail"], row["name"], row["url"])


def counter_of(state: ItemState) -> Column[int]:
    """The column of `jobs` that counts its items in a state."""
    return jobs.c[f"{state}_items"]


ITEMS: ColumnElement[int] = reduce(add, (counter_of(state) for state in ItemState))
"""How many items a row of `jobs` has."""


def job_of(row: RowMapping) -> Job:
    """A row of `jobs`."""
    counts = {state: row[f"{state}_items"] for state in ItemState}
    return Job(
        job_id=row["job_id"],
        merchant=row["merchant"],
        kind=JobKind(row["kind"]),
        created_at=row["created_at"],
        finished_at=row["finished_at"],
        total=row["total"],
        counts={state: count for state, count in counts.items() if count},
        code=row["code"],
        detail=row["detail"],
        embedded=row["embedded"],
        reused=row["reused"],
        first_settled_at=row["first_settled_at"],
        last_settled_at=row["last_settled_at"],
        cancelled_at=row["cancelled_at"],
    )


def options_columns(options: ImportOptions) -> dict[str, Any]:
    """How an import is to be read, as JSON."""
    return {"form": options.form.value, "mode": options.mode.value, "columns": dict(options.columns)}


def options_of(stored: Mapping[str, Any] | None) -> ImportOptions:
    """What `options_columns` stored; imports older than it have nothing."""
    if stored is None:
        return ImportOptions()
    return ImportOptions(FileForm(stored["form"]), ImportMode(stored["mode"]), stored["columns"])


def item_columns(job_id: str, merchant: str, item: JobItem, version: int | None) -> dict[str, Any]:
    """An item as a row; `version` is the product's version the item waits for, None for a refused one."""
    return {
        "job_id": job_id,
        "row": item.row,
        "merchant": merchant,
        "product_id": item.product_id,
        "version": version,
        "state": item.state.value,
        "field": item.field,
        "code": item.code,
        "detail": item.detail,
        "searchable_at": item.searchable_at,
        "line": item.line,
        "attempts": item.attempts,
    }


def item_of(row: RowMapping) -> JobItem:
    """A row of `job_items`."""
    return JobItem(
        row=row["row"],
        product_id=row["product_id"],
        state=ItemState(row["state"]),
        field=row["field"],
        code=row["code"],
        detail=row["detail"],
        searchable_at=row["searchable_at"],
        line=row["line"],
        attempts=row["attempts"],
    )
