"""The port `BlobStore` on an S3-compatible store."""

import base64
import hashlib
import re
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from itertools import groupby
from typing import Final

from backend import errors
from backend.blobs.s3_bucket import Bucket, Missing, Stored
from backend.ports import Puts

_HASH: Final = re.compile(r"[0-9a-f]{64}")
_PICTURES: Final = "pictures"
_STAMP_DIGITS: Final = 14  # microseconds since 1970 in hex, until the year 4253
TOGETHER: Final = 8
"""Puts under way at once: a store answers in some 20 to 50 ms whatever the size of a picture, and has many disks."""
_TRIES: Final = 5
"""Reads of one blob that is put again each time between its listing and its reading: one such chance in a million."""


class S3Blobs:
    """Blobs under `<prefix>/pictures/<hash>/<when it was put>-<random>`. Safe from several threads and processes.

    S3 has no lock, its delete asks no condition that a second put of the same bytes would change, and the times it
    keeps are whole seconds of its own clock. So no name is ever written twice: each put makes a new object, whose name
    says when, and then removes those it saw before. Whoever discards a blob removes exactly the objects it saw to be
    old, so it cannot take away what was put since; and one listing tells of every blob when it was last put.
    """

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def put(self, data: bytes) -> str:
        """Store durably and return the content hash. Raises `errors.BlobsUnavailable`.

        Bytes that are there are copied within the store, not sent. An object of another size was damaged from outside:
        a new put mends it.
        """
        content_hash = hashlib.sha256(data).hexdigest()
        self._put(content_hash, data)
        return content_hash

    @contextmanager
    def together(self) -> Iterator[Puts]:
        """See the port. A put waits for two or three answers of the store, so some are under way at once."""
        with ThreadPoolExecutor(TOGETHER, thread_name_prefix="s3-put") as pool:
            puts = _Together(lambda content_hash, data: pool.submit(self._put, content_hash, data))
            yield puts
            puts.wait()

    def _put(self, content_hash: str, data: bytes) -> None:
        known = self._objects(content_hash)
        name = _new_name(known)
        if not (known and known[-1].size == len(data) and self._copied(content_hash, known[-1].name, name)):
            md5 = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
            with self._bucket.asked("written"):
                self._bucket.client.put_object(
                    **self._bucket.key(_PICTURES, content_hash, name), Body=data, ContentMD5=md5
                )
        for old in known:
            self._bucket.delete(_PICTURES, content_hash, old.name)

    def get(self, content_hash: str) -> bytes:
        """The bytes: one listing and one read. Raises `errors.ImageNotFound`, `errors.BlobsUnavailable`."""
        if not _HASH.fullmatch(content_hash):
            raise errors.ImageNotFound
        for _ in range(_TRIES):
            known = self._objects(content_hash)
            if not known:
                raise errors.ImageNotFound
            try:
                with self._bucket.asked("read"):
                    found = self._bucket.client.get_object(**self._bucket.key(_PICTURES, content_hash, known[-1].name))
                    data: bytes = found["Body"].read()
                    return data
            except Missing:  # put again since it was listed, or discarded
                continue
        raise errors.BlobsUnavailable(f"Picture {content_hash} was put again {_TRIES} times while it was read.")

    def unused_since(self, before: datetime) -> Iterator[str]:
        """Content hashes last put before a moment, page by page of 1,000. Raises `errors.BlobsUnavailable`."""
        for content_hash, objects in groupby(self._bucket.listed(_PICTURES), lambda item: item.name.partition("/")[0]):
            if _HASH.fullmatch(content_hash) and not any(_put_since(item.name, before) for item in objects):
                yield content_hash

    def discard(self, content_hash: str, *, unused_since: datetime) -> bool:
        """Remove the bytes unless they were put again since; whether they were removed."""
        if not _HASH.fullmatch(content_hash):
            return False
        known = self._objects(content_hash)
        if any(_put_since(item.name, unused_since) for item in known):
            return False
        for old in known:
            self._bucket.delete(_PICTURES, content_hash, old.name)
        return bool(known)

    def _objects(self, content_hash: str) -> list[Stored]:
        """The objects of one blob, that put last at the end: mostly one, more where puts met."""
        return sorted(self._bucket.listed(_PICTURES, content_hash))

    def _copied(self, content_hash: str, old: str, new: str) -> bool:
        """Whether the store still had the old object to copy."""
        source = self._bucket.key(_PICTURES, content_hash, old)
        try:
            with self._bucket.asked("written"):
                self._bucket.client.copy_object(**self._bucket.key(_PICTURES, content_hash, new), CopySource=source)
        except Missing:  # discarded since it was listed
            return False
        return True


class _Together:
    """See `backend.ports.Puts`. `put`: begins a put. At most `TOGETHER` are under way, whose bytes are in memory."""

    def __init__(self, put: Callable[[str, bytes], Future[None]]) -> None:
        self._put = put
        self._hashes: set[str] = set()
        self._under_way: deque[Future[None]] = deque()

    def put(self, data: bytes) -> str:
        """Raises `errors.BlobsUnavailable`, for one that was put before, too."""
        content_hash = hashlib.sha256(data).hexdigest()
        if content_hash not in self._hashes:
            self.wait(TOGETHER - 1)
            self._hashes.add(content_hash)
            self._under_way.append(self._put(content_hash, data))
        return content_hash

    def wait(self, left: int = 0) -> None:
        """Until so many are left under way."""
        while len(self._under_way) > left:
            self._under_way.popleft().result()


def _new_name(known: list[Stored]) -> str:
    """Later than all that is known, whatever the clocks of the machines that put those say."""
    last = max((_stamp(item.name) for item in known), default=0)
    return f"{max(time.time_ns() // 1_000, last + 1):0{_STAMP_DIGITS}x}-{secrets.token_hex(4)}"


def _put_since(name: str, moment: datetime) -> bool:
    return _stamp(name) >= moment.timestamp() * 1e6


def _stamp(name: str) -> int:
    """Microseconds since 1970 from an object's name; one that says nothing was put by somebody else, long ago."""
    try:
        return int(name.rpartition("/")[2][:_STAMP_DIGITS], 16)
    except ValueError:
        return 0
