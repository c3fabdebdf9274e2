"""Pictures and vectors, as every room above sees them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Pixels: TypeAlias = NDArray[np.uint8]
"""A decoded picture: (height, width, 3), sRGB, upright, no transparency, C-contiguous."""

Vector: TypeAlias = NDArray[np.float32]
"""An embedding: (dimension,), unit length."""

Vectors: TypeAlias = NDArray[np.float32]
"""A batch of embeddings: (n, dimension), each row of unit length."""


class PictureState(StrEnum):
    """Where one picture of a product stands."""

    PENDING = "pending"
    SEARCHABLE = "searchable"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """What a picture's header says, before anything is decoded."""

    format: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of a product. `content_hash` (sha-256, hex) is its public id; None while its bytes are not here.

    `code` and `detail` say why it failed; `name` is the file name the merchant sent it under, `url` the address it is
    fetched from.
    """

    content_hash: str | None
    state: PictureState = PictureState.PENDING
    code: str | None = None
    detail: str | None = None
    name: str | None = None
    url: str | None = None

    @property
    def unfetched(self) -> bool:
        """Whether its bytes are still at their address."""
        return self.state is PictureState.PENDING and self.content_hash is None and self.url is not None
