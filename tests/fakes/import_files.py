"""The port `ImportFiles` in memory."""

import io
import re
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import IO

from backend import errors


class FakeImportFiles:
    """Files in a dictionary. `kept_at` says when each was kept, in seconds since 1970 by `clock`."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.contents: dict[str, bytes] = {}
        self.kept_at: dict[str, float] = {}

    def keep(self, stream: IO[bytes]) -> str:
        name = secrets.token_hex(16)
        self.adopt(name, stream)
        return name

    def adopt(self, name: str, stream: IO[bytes]) -> None:
        if not re.fullmatch("[0-9a-f]{32}", name):
            raise ValueError(f"{name!r} names no file of an import")
        self.contents[name] = stream.read()
        self.kept_at[name] = self._clock()

    def open(self, name: str) -> IO[bytes]:
        try:
            return io.BytesIO(self.contents[name])
        except KeyError as err:
            raise errors.ImportFileMissing from err

    def delete(self, name: str) -> None:
        self.contents.pop(name, None)

    def names_before(self, before: datetime) -> Iterator[str]:
        yield from [name for name in self.contents if self.kept_at.get(name, 0.0) < before.timestamp()]
