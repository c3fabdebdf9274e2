"""The port `BlobStore` in memory."""

import hashlib
import io
from typing import IO

from backend import errors


class FakeBlobs:
    """Blobs in a dictionary. `error`, when set, is what every call raises: a full disk, say."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}
        self.error: errors.BlobsUnavailable | None = None

    def put(self, data: bytes) -> str:
        self._check()
        content_hash = hashlib.sha256(data).hexdigest()
        self.contents[content_hash] = bytes(data)
        return content_hash

    def put_stream(self, stream: IO[bytes]) -> str:
        return self.put(stream.read())

    def get(self, content_hash: str) -> bytes:
        self._check()
        try:
            return self.contents[content_hash]
        except KeyError as err:
            raise errors.ImageNotFound from err

    def open(self, content_hash: str) -> IO[bytes]:
        return io.BytesIO(self.get(content_hash))

    def delete(self, content_hash: str) -> None:
        self._check()
        self.contents.pop(content_hash, None)

    def _check(self) -> None:
        if self.error is not None:
            raise self.error
