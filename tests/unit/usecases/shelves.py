"""Products put straight into the catalog and the index, for tests of searching."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from backend.domain.job import JobKind
from backend.domain.payload import NOT_LEADING, leading_payload, picture_payload, point_id, product_payload
from backend.domain.picture import Vector
from backend.domain.product import Product
from backend.domain.query import Query, Results
from backend.domain.work import Change
from backend.ports import Point
from tests.factories import content_hash, picture, product
from tests.house import House


def put(house: House, of: Product, vectors: Sequence[Vector], **payload: Any) -> None:
    """A product with one picture a vector, and what its points are to say besides."""
    house.catalog.accept([Change(of.key, of, (picture(of.key.product_id),))], JobKind.UPLOAD)
    house.vectors.upsert([replace(point, payload=point.payload | payload) for point in points(of, vectors)])


def shelve(house: House, of: Product, *colours: str) -> None:
    """A product with one plain picture a colour."""
    put(house, of, [house.embedder.embed_texts([colour])[0] for colour in colours])


def points(of: Product, vectors: Sequence[Vector]) -> list[Point]:
    """One point a vector, the first leading."""
    facts, made = product_payload(of, 1), []
    for number, vector in enumerate(vectors):
        image = content_hash(f"{of.key.product_id}/{number}")
        own = NOT_LEADING if number else leading_payload(of)
        made.append(Point(point_id(of.key, image), vector, facts | picture_payload(image) | own))
    return made


def plain(product_id: str, title: str, **facts: Any) -> Product:
    """A product found by its id, its title, and by what else is given, alone."""
    return product(product_id, title=title, **{"brand": "", "category": "", "attributes": {}, **facts})


def near(house: House, colour: str, cosine: float, seed: int) -> Vector:
    """A unit vector with this cosine to a colour's."""
    of = house.embedder.embed_texts([colour])[0].astype(np.float64)
    across = np.random.default_rng(seed).standard_normal(len(of))
    across -= (across @ of) * of
    made: Vector = (cosine * of + np.sqrt(1 - cosine**2) * across / np.linalg.norm(across)).astype(np.float32)
    return made


def search(house: House, text: str | None = None, **query: Any) -> Results:
    return house.services.search_products(Query("shop", text=text, **query))


def ids(results: Results) -> list[str]:
    return [match.product_id for match in results.matches]
