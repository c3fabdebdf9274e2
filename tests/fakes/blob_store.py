"""The port `BlobStore` in memory."""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from backend import errors
from backend.ports import Puts


class FakeBlobs:
    """Blobs in a dictionary. `error`, when set, is what every call raises: a full disk, say.

    `put_at` says when each was last put, in seconds since 1970 by `clock`; a test may set it back.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.contents: dict[str, bytes] = {}
        self.put_at: dict[str, float] = {}
        self.error: errors.BlobsUnavailable | None = None

    def put(self, data: bytes) -> str:
        self._check()
        content_hash = hashlib.sha256(data).hexdigest()
        self.contents[content_hash] = bytes(data)
        self.put_at[content_hash] = self._clock()
        return content_hash

    @contextmanager
    def together(self) -> Iterator[Puts]:
        self._check()
        yield self
        self._check()

    def get(self, content_hash: str) -> bytes:
        self._check()
        try:
            return self.contents[content_hash]
        except KeyError as err:
            raise errors.ImageNotFound from err

    def unused_since(self, before: datetime) -> Iterator[str]:
        self._check()
        yield from [name for name in self.contents if self._is_unused(name, before)]

    def discard(self, content_hash: str, *, unused_since: datetime) -> bool:
        self._check()
        if content_hash not in self.contents or not self._is_unused(content_hash, unused_since):
            return False
        del self.contents[content_hash], self.put_at[content_hash]
        return True

    def _is_unused(self, content_hash: str, since: datetime) -> bool:
        return self.put_at.get(content_hash, 0.0) < since.timestamp()

    def _check(self) -> None:
        if self.error is not None:
            raise self.error
