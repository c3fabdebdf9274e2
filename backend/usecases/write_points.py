"""Write to an index what the plans for some rows say, under the rows' versions."""

from collections.abc import Mapping, Sequence

from backend.domain.payload import (
    NOT_LEADING,
    Payload,
    leading_payload,
    picture_payload,
    point_id,
    product_payload,
)
from backend.domain.product import ProductKey, ProductRecord
from backend.domain.reconciling import Plan, wanted_hashes
from backend.ports import Point, Tombstone, VectorStore
from backend.usecases.embed_pictures import Embedded


def write_points(
    vectors: VectorStore, records: Sequence[ProductRecord], plans: Mapping[ProductKey, Plan], embedded: Embedded
) -> None:
    """New points first, stale ones last: a product whose pictures are replaced is never without any."""
    points: list[Point] = []
    tombstones: list[Tombstone] = []
    for record in records:
        key, plan = record.product.key, plans[record.product.key]
        facts = product_payload(record.product, record.version, record.created_at)
        shown = [item for item in wanted_hashes(record) if item in plan.keep or item in embedded.vectors]
        own = dict.fromkeys(shown[1:], NOT_LEADING) | {item: leading_payload(record.product) for item in shown[:1]}
        points += [
            Point(point_id(key, item), embedded.vectors[item], facts | picture_payload(item) | own[item])
            for item in plan.add
            if item in embedded.vectors
        ]
        _set_facts(vectors, key, facts, plan, own)
        tombstones += [Tombstone(key, item, record.version) for item in plan.bury]
    if points:
        vectors.upsert(points)
    if tombstones:
        vectors.bury(tombstones)


def _set_facts(vectors: VectorStore, key: ProductKey, facts: Payload, plan: Plan, own: Mapping[str, Payload]) -> None:
    """The leading point first, by its picture: it is not older any more when the others are told."""
    for item in plan.keep:
        if own[item] is not NOT_LEADING:
            vectors.set_facts(key, facts | own[item], image=item)
    if any(own[item] is NOT_LEADING for item in plan.keep):
        vectors.set_facts(key, facts | NOT_LEADING)
