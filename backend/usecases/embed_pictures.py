"""Pictures -> vectors, each content once: never what the index holds already, whoever's product it is of.

Vectors are shared between merchants, access is not: a vector says nothing of who else has the picture.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import wait
from dataclasses import dataclass, field

import numpy as np

from backend.domain.picture import Pixels, Vector
from backend.errors import (
    ImageNotFound,
    ModelUnavailable,
    PictureMissing,
    ShelfsightError,
    Unavailable,
    UnreadableImage,
)
from backend.ports import BlobStore, Embedder, PictureReader, VectorStore
from backend.usecases.shared_vectors import Found, SharedVectors

log = logging.getLogger(__name__)

RECENT_VECTORS = 4_096
"""Vectors kept for the moment between their computing and their being in the index: 8 MB at 512 dimensions."""

WAITING_SECONDS = 1.0
"""Between two signs of life of who waits for another thread's picture. A lease lasts for a minute."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """Vectors by content hash, reasons by content hash, and which of the vectors the model computed for this call."""

    vectors: Mapping[str, Vector]
    refusals: Mapping[str, ShelfsightError]
    fresh: frozenset[str]


@dataclass(frozen=True)
class EmbedPictures:
    """Looks in the index, then at what other threads have in hand, and only then asks the model."""

    blobs: BlobStore
    reader: PictureReader
    embedder: Embedder
    vectors: VectorStore
    batch: int
    _shared: SharedVectors = field(default_factory=lambda: SharedVectors(RECENT_VECTORS))

    def __call__(self, content_hashes: Sequence[str], alive: Callable[[], None]) -> Embedded:
        """`alive` is called between pictures and while waiting for another thread's: the caller's sign of life.

        Raises `Unavailable` when a part is down.
        """
        missing = dict.fromkeys(content_hashes)
        found: dict[str, Found] = dict(self.vectors.vectors_by_content(list(missing)) if missing else {})
        known, mine, theirs = self._shared.take(item for item in missing if item not in found)
        found.update(known)
        computed: dict[str, Found] = {}
        try:
            for part in self._computed(list(mine), alive):
                self._shared.publish(part)  # at once: who waits for one of these need not wait for the whole batch
                computed.update(part)
        except BaseException as err:
            # Others that wait learn that it did not work out; they give their claims back and try again.
            told = err if isinstance(err, Unavailable) else Unavailable("another thread failed on a shared picture")
            self._shared.give_up(mine, told)
            raise
        found.update(computed)
        for content_hash, future in theirs.items():  # own work is done first, so two threads never wait in a circle
            while not wait([future], timeout=WAITING_SECONDS).done:
                alive()
            found[content_hash] = future.result()
        return Embedded(
            vectors={item: it for item, it in found.items() if not isinstance(it, ShelfsightError)},
            refusals={item: it for item, it in found.items() if isinstance(it, ShelfsightError)},
            fresh=frozenset(item for item, it in computed.items() if not isinstance(it, ShelfsightError)),
        )

    def _computed(self, content_hashes: Sequence[str], alive: Callable[[], None]) -> Iterator[dict[str, Found]]:
        """All of them, in parts: bounds memory, for a batch of products may have 16 times as many pictures."""
        decoded: dict[str, Pixels] = {}
        for content_hash in content_hashes:
            try:
                decoded[content_hash] = self.reader.decode(self.blobs.get(content_hash), self.embedder.picture_side)
            except UnreadableImage as err:
                yield {content_hash: err}
            except ImageNotFound:
                yield {content_hash: PictureMissing("the stored bytes are gone; upload the picture again")}
            alive()
            if len(decoded) == self.batch:
                yield self._embedded(decoded)
                decoded = {}
        yield self._embedded(decoded)

    def _embedded(self, decoded: Mapping[str, Pixels]) -> dict[str, Found]:
        """One forward pass. When it fails: the model's fault if it fails on a plain picture too, else a picture's."""
        if not decoded:
            return {}
        try:
            return dict(zip(decoded, self.embedder.embed_images(list(decoded.values())), strict=True))
        except Unavailable:
            raise
        except Exception as err:
            log.exception("embedding %d pictures failed", len(decoded))
            self._check_model(err)
            if len(decoded) > 1:
                singly = (self._embedded({content_hash: pixels}) for content_hash, pixels in decoded.items())
                return {content_hash: item for one in singly for content_hash, item in one.items()}
            return {item: ShelfsightError(f"{type(err).__name__} while embedding; see the log") for item in decoded}

    def _check_model(self, cause: Exception) -> None:
        side = self.embedder.picture_side
        try:
            self.embedder.embed_images([np.full((side, side, 3), 128, np.uint8)])
        except Exception as err:  # noqa: BLE001 - whatever it is, no picture is to blame
            raise ModelUnavailable(f"the encoder fails on any picture: {type(err).__name__}") from cause
