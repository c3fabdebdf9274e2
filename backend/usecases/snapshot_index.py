"""Lay a copy of the index that serves in the data directory, for a backup to fetch: only this process may read it."""

import math
import shutil
import threading
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from backend.usecases.served_index import ServedIndex


@dataclass(frozen=True)
class Laid:
    """A copy of the index, by its name below the folder for copies. `number`: its generation."""

    name: str
    number: int


@dataclass(frozen=True)
class SnapshotIndex:
    """`folder`: where copies are laid. One lies there at most: what nobody fetched goes with the next, or the purge."""

    served: ServedIndex
    folder: Path
    _turn: threading.Lock = field(default_factory=threading.Lock, compare=False)

    def __call__(self) -> Laid:
        """Raises `IndexUnavailable`; then nothing is left of the copy, which may have filled the disk."""
        with self._turn:
            shutil.rmtree(self.folder, ignore_errors=True)
            name = uuid.uuid4().hex
            try:
                self.served.vectors.snapshot(self.folder / name)
            except BaseException:
                shutil.rmtree(self.folder, ignore_errors=True)
                raise
            return Laid(name, self.served.number)

    def forget(self, before: datetime) -> int:
        """Remove what was laid before then: whoever asked for it was ended. How many copies were removed."""
        with self._turn:
            old = [laid for laid in self.folder.glob("*") if _laid_at(laid) < before.timestamp()]
            for laid in old:
                shutil.rmtree(laid, ignore_errors=True)
            return len(old)


def _laid_at(laid: Path) -> float:
    try:
        return laid.stat().st_mtime
    except FileNotFoundError:  # it is fetched now
        return math.inf
