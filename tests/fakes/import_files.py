"""The port `ImportFiles` in memory."""

import io
import secrets
from typing import IO

from backend import errors


class FakeImportFiles:
    """Files in a dictionary."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}

    def keep(self, stream: IO[bytes]) -> str:
        name = secrets.token_hex(16)
        self.contents[name] = stream.read()
        return name

    def open(self, name: str) -> IO[bytes]:
        try:
            return io.BytesIO(self.contents[name])
        except KeyError as err:
            raise errors.ImportFileMissing from err

    def delete(self, name: str) -> None:
        self.contents.pop(name, None)
