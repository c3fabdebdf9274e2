"""The port `ImportFiles` on a directory: files of products between their upload and their last row."""

import re
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Final

from backend import errors
from backend.blobs.refusal import CHUNK_BYTES, unavailable
from backend.durable import flush_path, put_in_place

_NAME: Final = re.compile(r"[0-9a-f]{32}")


class FilesystemImportFiles:
    """One file per import under `root/<name>`. Names are random: two uploads of one content are two files.

    So an import that ends can remove its file without asking who else might need the same bytes.
    """

    def __init__(self, root: Path, stale_seconds: float = 3600.0) -> None:
        """Make the directory; remove what died with its process: parts nobody has written to for `stale_seconds`."""
        self._root = root
        with unavailable("written"):
            root.mkdir(parents=True, exist_ok=True)
            flush_path(root.parent)
            for path in root.glob("*.part"):
                with suppress(FileNotFoundError):
                    if path.stat().st_mtime < time.time() - stale_seconds:
                        path.unlink()

    def keep(self, stream: IO[bytes]) -> str:
        """Store durably, from where the stream stands to its end, under a new name, which is returned."""
        name = secrets.token_hex(16)
        self.adopt(name, stream)
        return name

    def adopt(self, name: str, stream: IO[bytes]) -> None:
        """The same under the name it was kept by elsewhere. Raises `ValueError` when that is none."""
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} names no file of an import")
        part = self._root / f"{name}.part"
        try:
            with unavailable("written"), part.open("xb") as file:
                while chunk := stream.read(CHUNK_BYTES):
                    file.write(chunk)
            with unavailable("written"):
                put_in_place(part, self._root / name)
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)

    def open(self, name: str) -> IO[bytes]:
        """The file, to be closed by the caller. Raises `errors.ImportFileMissing`."""
        if not _NAME.fullmatch(name):
            raise errors.ImportFileMissing
        with unavailable("read"):
            try:
                return (self._root / name).open("rb")
            except FileNotFoundError as err:
                raise errors.ImportFileMissing from err

    def delete(self, name: str) -> None:
        """Remove the file; nothing happens when there is none."""
        if _NAME.fullmatch(name):
            with unavailable("written"):
                (self._root / name).unlink(missing_ok=True)

    def names_before(self, before: datetime) -> Iterator[str]:
        """Names of files last written to before a moment: an import that was never opened leaves one behind."""
        with unavailable("read"):
            for path in self._root.iterdir():
                with suppress(FileNotFoundError):  # deleted meanwhile
                    if _NAME.fullmatch(path.name) and path.stat().st_mtime < before.timestamp():
                        yield path.name
