"""What a backup is: a catalog, an index that is not newer than it, and the bytes both speak of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from backend.domain.generation import FIRST


class IndexKind(StrEnum):
    """`folder`: an embedded index as it lies on the disk. `points`: what any index can be made of."""

    FOLDER = "folder"
    POINTS = "points"


@dataclass(frozen=True, slots=True)
class IndexCopy:
    """A copy of the index that serves.

    `told_before`: it holds whatever the index was told before this moment, and perhaps some of what came later.
    `model`, `dimension`, `fingerprint`: its encoder's space. `number`: its generation.
    """

    kind: IndexKind
    points: int
    told_before: datetime
    model: str
    dimension: int
    fingerprint: str
    number: int = FIRST


@dataclass(frozen=True, slots=True)
class Backup:
    """One whole backup. `name`: its folder. `version`: of the Shelfsight that made it.

    `counts`: live products, pictures and jobs in it. `lost`: pictures a product has whose bytes were gone already.
    """

    name: str
    made_at: datetime
    version: str
    index: IndexCopy
    counts: Mapping[str, int]
    lost: tuple[str, ...] = field(default=())
