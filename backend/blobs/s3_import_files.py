"""The port `ImportFiles` on an S3-compatible store."""

import io
import re
import secrets
from collections.abc import Iterator
from datetime import datetime
from typing import IO, TYPE_CHECKING, Final, cast

from boto3.s3.transfer import TransferConfig

from backend import errors
from backend.blobs.refusal import CHUNK_BYTES
from backend.blobs.s3_bucket import Bucket, Missing

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_NAME: Final = re.compile(r"[0-9a-f]{32}")
_IMPORTS: Final = "imports"
_PART_BYTES: Final = 16 << 20  # 10,000 parts are the most S3 takes: up to 160 GB; 4 of them are in memory at once
_SENDERS: Final = 4


class S3ImportFiles:
    """One object per import under `<prefix>/imports/<name>`, with a random name. It is there once all of it is.

    A process that is killed while it sends leaves parts nobody can see: a rule of the bucket removes them
    (docs/servers.md).
    """

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def keep(self, stream: IO[bytes]) -> str:
        """Store durably, from where the stream stands to its end, under a new name, which is returned."""
        name = secrets.token_hex(16)
        self.adopt(name, stream)
        return name

    def adopt(self, name: str, stream: IO[bytes]) -> None:
        """The same under the name it was kept by elsewhere. Raises `ValueError` when that is none."""
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} names no file of an import")
        config = TransferConfig(
            multipart_threshold=_PART_BYTES, multipart_chunksize=_PART_BYTES, max_concurrency=_SENDERS
        )
        with self._bucket.asked("written"):
            self._bucket.client.upload_fileobj(_Unclosed(stream), **self._bucket.key(_IMPORTS, name), Config=config)

    def open(self, name: str) -> IO[bytes]:
        """The file, read in parts as they are wanted. Raises `errors.ImportFileMissing`."""
        if not _NAME.fullmatch(name):
            raise errors.ImportFileMissing
        try:
            with self._bucket.asked("read"):
                size = int(self._bucket.client.head_object(**self._bucket.key(_IMPORTS, name))["ContentLength"])
        except Missing as err:
            raise errors.ImportFileMissing from err
        return io.BufferedReader(_Remote(self._bucket, name, size), buffer_size=CHUNK_BYTES)

    def delete(self, name: str) -> None:
        """Remove the file; nothing happens when there is none."""
        if _NAME.fullmatch(name):
            self._bucket.delete(_IMPORTS, name)

    def names_before(self, before: datetime) -> Iterator[str]:
        """Names of files kept before a moment, by the store's clock and to the second."""
        for item in self._bucket.listed(_IMPORTS):
            if _NAME.fullmatch(item.name) and item.changed_at < before:
                yield item.name


class _Unclosed:
    """A stream that its reader does not close: the transfer closes what it has read, and the stream is our caller's."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        return self._stream.read(size)


class _Remote(io.RawIOBase):
    """An object read by ranges (RFC 9110 14.2)."""

    def __init__(self, bucket: Bucket, name: str, size: int) -> None:
        super().__init__()
        self._bucket, self._name, self._size, self._at = bucket, name, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError(f"negative seek position {start + offset}")
        self._at = start + offset
        return self._at

    def readinto(self, buffer: "WriteableBuffer") -> int:
        place = memoryview(buffer).cast("B")
        data = self._read(len(place))
        place[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        """At once: the inherited one would ask for 8 kB a time."""
        return self._read(self._size)

    def _read(self, most: int) -> bytes:
        end = min(self._at + most, self._size)
        if end <= self._at:
            return b""
        try:
            with self._bucket.asked("read"):
                found = self._bucket.client.get_object(
                    **self._bucket.key(_IMPORTS, self._name), Range=f"bytes={self._at}-{end - 1}"
                )
                data = cast("bytes", found["Body"].read())
        except Missing as err:
            raise errors.ImportFileMissing from err
        self._at += len(data)
        return data
