"""Copy pictures by their content hashes from one store to another, each looked at on the way."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from backend.errors import ImageNotFound
from backend.ports import BlobStore

AT_ONCE = 8
"""Threads: most of the time is waiting, for a disk to keep what it is given or for a store over the network."""
PART = 256
"""Pictures between two words of progress, and the most that are in memory: 5 GB if all were of the greatest size."""


@dataclass
class Copied:
    """`sizes`: content hash -> bytes of what was copied. `lost`: what the source has not, or not as it was put."""

    sizes: dict[str, int] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class CopyPictures:
    """`tell` hears how many were looked at so far."""

    source: BlobStore
    target: BlobStore
    tell: Callable[[int], None] = lambda _: None

    def __call__(self, wanted: Iterable[str]) -> Copied:
        """Raises `BlobsUnavailable`; what was copied stays, and is not copied wrongly by another try.

        Both stores name bytes by their hash: what arrives is what was wanted, or is not put at all.
        """
        copied, done = Copied(), 0
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="copy") as pool:
            for part in _parts(wanted):
                for name, size in zip(part, pool.map(self._copy, part), strict=True):
                    if size is None:
                        copied.lost.add(name)
                    else:
                        copied.sizes[name] = size
                done += len(part)
                self.tell(done)
        return copied

    def _copy(self, content_hash: str) -> int | None:
        try:
            data = self.source.get(content_hash)
        except ImageNotFound:
            return None
        if hashlib.sha256(data).hexdigest() != content_hash:
            return None
        self.target.put(data)
        return len(data)


def _parts(names: Iterable[str]) -> Iterator[list[str]]:
    remaining = iter(names)
    while part := list(islice(remaining, PART)):
        yield part
