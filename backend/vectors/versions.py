"""Versions: what each write is on condition of, and the tombstones that hold a removed picture's place.

Of one point a greater version wins, and of one version the tombstone. So the order in which writers come does not
matter: a late one, or one that comes twice, finds what it would write there already, or something newer.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from backend.domain.payload import Payload, point_id
from backend.errors import ShelfsightError
from backend.ports import Point, Tombstone

VERSION, BURIED_AT = "version", "buried_at"
"""The facts written by: the product's version, and when a tombstone was put (seconds since 1970); points have none."""


def version_of(facts: Mapping[str, object]) -> int:
    """The product's version in a payload. Raises `ShelfsightError` when there is none: nothing is written without."""
    version = facts.get(VERSION)
    if type(version) is not int:
        raise ShelfsightError(f"Facts are written by their version, which cannot be {version!r}.")
    return version


def by_version(points: Sequence[Point]) -> dict[int, list[Point]]:
    """The points by version, for engines that take one condition a call. Of one point's several, the newest.

    Engines let the last one of a call win, whatever their condition says (measured with Qdrant Edge 0.9).
    """
    newest: dict[str, Point] = {}
    for point in points:
        known = newest.get(point.point_id)
        if known is None or version_of(point.payload) > version_of(known.payload):
            newest[point.point_id] = point
    groups: defaultdict[int, list[Point]] = defaultdict(list)
    for point in newest.values():
        groups[version_of(point.payload)].append(point)
    return dict(groups)


def tombstone_points(tombstones: Sequence[Tombstone], dimension: int, now: float) -> list[Point]:
    """Tombstones as points. They have no merchant, product or image, so that no filter that names one meets them."""
    anywhere = np.zeros(dimension, np.float32)  # engines want a direction; nothing is ever compared with it
    anywhere[0] = 1.0
    return [Point(point_id(stone.key, stone.content_hash), anywhere, _inscription(stone, now)) for stone in tombstones]


def _inscription(stone: Tombstone, now: float) -> Payload:
    return {VERSION: stone.version, BURIED_AT: float(now)}
