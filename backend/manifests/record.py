"""One record of a file as it was read: texts by the names of their columns, nothing judged yet."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from backend.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Record:
    """A line of a table or an item of a feed. `index`: column -> place in `values`. `error`: it could not be read."""

    line: int
    values: Sequence[str] = ()
    index: Mapping[str, int] = field(default_factory=dict)
    error: InvalidInput | None = None

    def get(self, column: str) -> str:
        """The text in a column without outer blanks; empty where there is none."""
        at = self.index.get(column)
        return "" if at is None or at >= len(self.values) else self.values[at].strip()


ReadRecords = Callable[[], Iterator[Record]]
"""Reads a file's records from its start."""


class Readable(Protocol):
    """What bytes are read from."""

    def read(self, size: int, /) -> bytes | None:
        """Up to `size` bytes; none at the end."""
        ...


class Borrowed(io.RawIOBase):
    """A stream of somebody else: readers that close what they read from leave it open."""

    def __init__(self, source: Readable) -> None:
        self._source = source

    def readable(self) -> bool:
        """It is there to be read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # the stub has no name for what io passes
        """Fill the buffer from the source."""
        data = self._source.read(len(buffer)) or b""
        buffer[: len(data)] = data
        return len(data)


class FarIn(Exception):
    """Raised by `Start` where it ends. Never leaves this room."""


class Start(Borrowed):
    """The first bytes of a stream, for what is looked up in a file while somebody waits. Raises `FarIn` beyond."""

    def __init__(self, source: Readable, max_bytes: int) -> None:
        super().__init__(source)
        self._left = max_bytes

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # as in Borrowed
        """Fill the buffer from the source."""
        if self._left <= 0:
            raise FarIn
        size = super().readinto(buffer)
        self._left -= size
        return size
