"""What has to be done so that the index shows a product's latest row: decided here on plain values, done elsewhere."""

from collections.abc import Collection
from dataclasses import dataclass

from backend.domain.picture import PictureState
from backend.domain.product import ProductRecord


@dataclass(frozen=True, slots=True)
class Plan:
    """The difference between a row and its points in the index, by content hash.

    `add`: pictures that need a point, and so a vector. `keep`: points whose vector is right and whose facts are
    rewritten. `bury`: pictures the product no longer has, whether the index holds them or a late worker may yet bring
    them.
    """

    add: tuple[str, ...]
    keep: tuple[str, ...]
    bury: tuple[str, ...]


def plan_of(record: ProductRecord, indexed: Collection[str]) -> Plan:
    """Compare a row with the content hashes the index holds for it. A deleted product keeps nothing, nor does one that
    was set aside: its last worker may have written to the index before it ended.
    """
    wanted = () if record.deleted or record.code else wanted_hashes(record)
    return Plan(
        add=tuple(item for item in wanted if item not in indexed),
        keep=tuple(item for item in wanted if item in indexed),
        bury=tuple(sorted({*indexed, *record.dropped} - {*wanted})),
    )


def wanted_hashes(record: ProductRecord) -> tuple[str, ...]:
    """The pictures that should be in the index, in order, each once; refused ones are not tried again."""
    hashes = (
        picture.content_hash
        for picture in record.pictures
        if picture.content_hash is not None and picture.state is not PictureState.FAILED
    )
    return tuple(dict.fromkeys(hashes))
