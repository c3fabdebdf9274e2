"""Notes of pictures that products no longer have: the worker buries them in the index, where a late writer may be."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, delete, exists, insert, select

from backend.catalog.rows import in_parts, named
from backend.catalog.tables import dropped_pictures, pictures, products
from backend.domain.product import ProductKey


@dataclass(frozen=True, slots=True)
class Dropping:
    """New pictures of a product: the version that brings them, their hashes, and others it never came to show."""

    key: ProductKey
    version: int
    kept: Collection[str] = frozenset()
    replaced: Collection[str] = frozenset()


def note_dropped(connection: Connection, droppings: Iterable[Dropping]) -> None:
    """Before the pictures of these products are replaced: note every hash that they had, with the version that has it
    no more. What was noted before stays; what the product has again is noted no longer.
    """
    news = {dropping.key: dropping for dropping in droppings}
    p = pictures.c
    for part in in_parts(news):
        gone = {key: dict.fromkeys(news[key].replaced, news[key].version) for key in part}
        stored = select(p.merchant, p.product_id, p.content_hash).where(named(pictures, part))
        for merchant, product_id, content_hash in connection.execute(stored.where(p.content_hash.is_not(None))):
            key = ProductKey(merchant, product_id)
            gone[key][content_hash] = news[key].version
        before = connection.execute(select(dropped_pictures).where(named(dropped_pictures, part))).all()
        for row in before:
            gone[ProductKey(row.merchant, row.product_id)].setdefault(row.content_hash, row.version)
        if before:
            connection.execute(delete(dropped_pictures).where(named(dropped_pictures, part)))
        rows = [
            {"merchant": key.merchant, "product_id": key.product_id, "content_hash": content_hash, "version": version}
            for key, noted in gone.items()
            for content_hash, version in noted.items()
            if content_hash not in news[key].kept
        ]
        if rows:
            connection.execute(insert(dropped_pictures), rows)


def forget_dropped(connection: Connection, keys: list[ProductKey]) -> None:
    """Remove the notes that the index has followed: those of a version it holds."""
    d = dropped_pictures.c
    held = select(products.c.indexed_version).where(
        products.c.merchant == d.merchant, products.c.product_id == d.product_id
    )
    for part in in_parts(keys):
        connection.execute(
            delete(dropped_pictures).where(named(dropped_pictures, part), d.version <= held.scalar_subquery())
        )


def take_back(connection: Connection, keys: list[ProductKey]) -> None:
    """Remove the notes of pictures these products have again: an address gave what was there before."""
    d, p = dropped_pictures.c, pictures.c
    again = exists().where(p.merchant == d.merchant, p.product_id == d.product_id, p.content_hash == d.content_hash)
    for part in in_parts(keys):
        connection.execute(delete(dropped_pictures).where(named(dropped_pictures, part), again))
