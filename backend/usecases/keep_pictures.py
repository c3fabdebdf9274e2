"""Step of every upload: check each picture's header and store its bytes. A bad picture among good ones fails alone."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from backend.domain.picture import Picture, PictureState
from backend.domain.product_facts import shown
from backend.errors import (
    FieldError,
    InvalidInput,
    PictureMissing,
    PicturesMissing,
    ShelfsightError,
    TooManyPictures,
    UnfetchablePicture,
    UnreadableImage,
)
from backend.ports import BlobStore, PictureFetcher, PictureReader, Puts


@dataclass(frozen=True, slots=True)
class Upload:
    """One picture as it came: its name, and a way to its bytes (which may raise one of our errors), or its address."""

    name: str
    read: Callable[[], bytes] | None = None
    url: str | None = None


@dataclass(frozen=True)
class KeepPictures:
    """Inspects and stores pictures, in order, each content and each address once. Addresses are fetched later."""

    reader: PictureReader
    fetcher: PictureFetcher
    blobs: BlobStore
    max_pictures: int

    def together(self) -> AbstractContextManager[Puts]:
        """For the pictures of several products, to be given to each call in the block: durable when it ends."""
        return self.blobs.together()

    def __call__(self, uploads: Sequence[Upload], puts: Puts | None = None) -> tuple[Picture, ...]:
        """The pictures with their content hashes, addresses or codes. At least one is usable.

        Raises `PicturesMissing`, `TooManyPictures`, or, when none is usable, the first picture's own error with all
        of them in `errors`. Raises `BlobsUnavailable` when bytes cannot be stored.
        """
        if not uploads:
            raise PicturesMissing(field="images")
        if len(uploads) > self.max_pictures:
            raise TooManyPictures(f"{len(uploads)} pictures; at most {self.max_pictures} are allowed", field="images")
        if puts is None:
            with self.together() as own:
                return self._kept(uploads, own)
        return self._kept(uploads, puts)

    def _kept(self, uploads: Sequence[Upload], puts: Puts) -> tuple[Picture, ...]:
        kept: dict[object, Picture] = {}
        refusals: list[tuple[str, ShelfsightError]] = []
        for number, upload in enumerate(uploads):
            try:
                picture = self._keep(upload, puts)
            except (UnreadableImage, PictureMissing, UnfetchablePicture) as err:
                refusals.append((f"images[{number}]", err))
                url = upload.url and shown(upload.url, MAX_SHOWN_URL)
                picture = Picture(None, PictureState.FAILED, err.code, err.detail, shown(upload.name) or None, url)
            kept.setdefault(picture.content_hash or picture.url or number, picture)
        if len(refusals) == len(uploads):
            first = refusals[0][1]
            raise type(first)(first.detail, errors=[FieldError(name, err.code, err.detail) for name, err in refusals])
        return tuple(kept.values())

    def _keep(self, upload: Upload, puts: Puts) -> Picture:
        if upload.url is not None:
            self.fetcher.check(upload.url)
            return Picture(None, url=upload.url)
        if upload.read is None:
            raise InvalidInput("a picture has neither bytes nor an address")
        data = upload.read()
        self.reader.inspect(data)
        return Picture(puts.put(data), name=shown(upload.name))


MAX_SHOWN_URL = 500
"""Characters of a refused address that are kept to be shown again."""
