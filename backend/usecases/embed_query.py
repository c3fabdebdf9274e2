"""What is searched by -> a vector, each picture and each text once: shops ask the same again and again."""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from hashlib import sha256

from backend.domain.picture import Vector
from backend.errors import ShelfsightError
from backend.ports import BlobStore, Embedder, PictureReader
from backend.usecases.shared_vectors import Found, SharedVectors

Lap = Callable[[str], None]
"""Told the name of a stage, `decode` or `embed`, when it ends."""


@dataclass(frozen=True)
class EmbedQuery:
    """Looks at the vectors that are kept and at what other threads have in hand, and only then asks the model.

    Who waits for another thread gets its vector, or an error of the same kind. No error is kept: the part that was
    down may be back, and a limit may be raised.
    """

    blobs: BlobStore
    reader: PictureReader
    embedder: Embedder
    shared: SharedVectors

    def picture(self, data: bytes, lap: Lap) -> Vector:
        """(dimension,) float32, of unit length. Raises `UnreadableImage`, `Unavailable`."""
        content = self._picture(sha256(data).hexdigest())
        lap("decode")  # even when it is kept: an answer names the same stages each time
        return self._once(content, lambda: self._decoded_and_embedded(data, lap), lap)

    def stored_picture(self, content_hash: str, lap: Lap) -> Vector:
        """The same for bytes in the store, which are only read when needed. Raises `ImageNotFound` too."""
        vector = self.shared.known(self._picture(content_hash))
        if vector is None:
            # Read before it is shared: bytes that are gone concern this caller, not one who sent the same picture.
            return self.picture(self.blobs.get(content_hash), lap)
        lap("decode")
        lap("embed")
        return vector

    def text(self, text: str, lap: Lap) -> Vector:
        """(dimension,) float32, of unit length. Raises `Unavailable`."""
        digest = sha256(text.encode()).hexdigest()  # thousands of long texts take no more memory than short ones
        return self._once(self._content("text", digest), lambda: self.embedder.embed_texts([text])[0], lap)

    def _picture(self, content_hash: str) -> str:
        return self._content("picture", content_hash)

    def _content(self, kind: str, digest: str) -> str:
        return f"{self.embedder.space.fingerprint} {kind} {digest}"

    def _decoded_and_embedded(self, data: bytes, lap: Lap) -> Vector:
        pixels = self.reader.decode(data, self.embedder.picture_side)
        lap("decode")
        vector: Vector = self.embedder.embed_images([pixels])[0]
        return vector

    def _once(self, content: str, compute: Callable[[], Vector], lap: Lap) -> Vector:
        known, mine, theirs = self.shared.take([content])
        if content in mine:
            found: Found = self._computed(content, compute)
        else:
            found = known[content] if content in known else theirs[content].result()
        lap("embed")
        if isinstance(found, ShelfsightError):
            raise copy(found)  # each thread its own: a traceback grows with every raise
        return found

    def _computed(self, content: str, compute: Callable[[], Vector]) -> Vector:
        try:
            vector = compute()
        except BaseException as err:
            told = (
                err if isinstance(err, ShelfsightError) else ShelfsightError("the same search failed beside this one")
            )
            self.shared.publish({content: told})
            raise
        self.shared.publish({content: vector})
        return vector
