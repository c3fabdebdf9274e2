"""Lanes: what a due product waits for, and in which order one merchant's are handed out."""

from collections.abc import Iterable, Mapping
from enum import IntEnum

from backend.domain.picture import Picture
from backend.domain.work import Work


class Lane(IntEnum):
    """Stored with each product. Of those to be fetched, who waits at a screen comes before who sent a file."""

    FACTS = 0
    UPLOAD = 1
    IMPORT = 2
    FETCH_UPLOAD = 3
    FETCH_IMPORT = 4


LANES: Mapping[Work, tuple[Lane, ...]] = {
    Work.FACTS: (Lane.FACTS,),
    Work.UPLOADS: (Lane.UPLOAD,),
    Work.IMPORTS: (Lane.IMPORT,),
    Work.FETCH: (Lane.FETCH_UPLOAD, Lane.FETCH_IMPORT),
}

FETCHED: Mapping[Lane, Lane] = {Lane.FETCH_UPLOAD: Lane.UPLOAD, Lane.FETCH_IMPORT: Lane.IMPORT}
"""Where a product goes on once its pictures are here."""


def lane_of(pictures: Iterable[Picture], *, bulk: bool) -> Lane:
    """The lane of a product whose pictures are new. `bulk`: they came in a file of products."""
    if any(picture.unfetched for picture in pictures):
        return Lane.FETCH_IMPORT if bulk else Lane.FETCH_UPLOAD
    return Lane.IMPORT if bulk else Lane.UPLOAD
