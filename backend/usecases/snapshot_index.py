"""Lay a copy of the index that serves in the data directory, for a backup to fetch: only this process may read it."""

import shutil
import threading
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from backend.usecases.served_index import ServedIndex


@dataclass(frozen=True)
class Laid:
    """A copy of the index, by its name below the folder for copies. `number`: its generation."""

    name: str
    number: int


@dataclass(frozen=True)
class SnapshotIndex:
    """`folder`: where copies are laid. One lies there at most: the next removes what nobody fetched."""

    served: ServedIndex
    folder: Path
    _turn: threading.Lock = field(default_factory=threading.Lock, compare=False)

    def __call__(self) -> Laid:
        """Raises `IndexUnavailable`."""
        with self._turn:
            shutil.rmtree(self.folder, ignore_errors=True)
            name = uuid.uuid4().hex
            self.served.vectors.snapshot(self.folder / name)
            return Laid(name, self.served.number)
