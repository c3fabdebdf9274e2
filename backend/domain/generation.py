"""Generations of the index: each is one encoder's, one of them serves, and a change of the encoder makes the next."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from backend.domain.product import ProductKey

FIRST = 1
"""The generation an installation begins with, and the only one until its encoder is changed."""

LATER = "another one was made ready after it"
"""Why one that was ready does not serve: only one is at a time."""


class IndexState(StrEnum):
    """`building`: being filled beside the one that serves. `ready`: to serve as soon as whoever serves has opened it.
    `serving`: searched and written. `kept`: served before, and can again. `dropped`: to be removed from the disk.
    """

    BUILDING = "building"
    READY = "ready"
    SERVING = "serving"
    KEPT = "kept"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation, and how far it is.

    `model`, `dimension`, `fingerprint`: its encoder's space. `after`: every product up to this key is in it, of `total`
    products `done`; `filled`: so are all. `told_before`: it holds whatever the serving index was told before this
    moment. `gaps`: products of which a picture could not be embedded. `detail`: why it does not serve, for people.
    `served_at`: since when it serves, or last did. `comparison`: how it answers beside the one that serves.
    """

    number: int
    state: IndexState
    model: str
    dimension: int
    fingerprint: str
    created_at: datetime
    told_before: datetime
    total: int = 0
    done: int = 0
    after: ProductKey | None = None
    filled: bool = False
    gaps: tuple[ProductKey, ...] = ()
    detail: str | None = None
    served_at: datetime | None = None
    updated_at: datetime | None = None
    comparison: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Told:
    """That the serving index was told of a product: which version, and when."""

    key: ProductKey
    version: int
    at: datetime
