"""Make a backup while everything goes on: the index, then the catalog, then the bytes they speak of.

The order is what makes it whole. The index takes nothing that is not newer than what it holds, so an index newer than
its catalog would swallow the next writes in silence; an older one only lacks what it was told since, and the catalog
says since when. Bytes are never changed, only removed when no product has them: what is gone when its turn comes was
removed after the catalog was copied, so the catalog is copied once more.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from backend.domain.backup import Backup, IndexCopy
from backend.errors import ImportFileMissing, Unavailable
from backend.ports import BlobStore, Clock, ImportFiles
from backend.usecases.copy_pictures import CopyPictures

ROUNDS = 5
"""Copies of the catalog, each for something that was removed since the one before. Two are rare, five are a fault."""

EVER = datetime(9999, 1, 1, tzinfo=UTC)


class CatalogCopy(Protocol):
    """A copy of the catalog, open."""

    def pictures(self) -> Iterator[str]:
        """The content hashes of all pictures products have, each once."""
        ...

    def sources(self) -> set[str]:
        """The files of imports that have rows left to read."""
        ...

    def serving(self) -> int:
        """Which generation of the index serves."""
        ...

    def forget_other_indexes(self) -> None:
        """No other generation is in the backup."""
        ...

    def counts(self) -> dict[str, int]:
        """What is in it, for people."""
        ...


class Archive(Protocol):
    """The folder of backups."""

    def backup(self) -> Backup | None:
        """The one that is there."""
        ...

    def begin(self) -> Path:
        """A new folder for a snapshot."""
        ...

    def check(self, backup: Backup) -> Path:
        """The snapshot's folder, compared with what was noted of it. Raises `errors.BackupUnusable`."""
        ...

    def picture_list(self, backup: Backup) -> dict[str, int]:
        """Content hash -> bytes."""
        ...

    def finish(self, backup: Backup, pictures: dict[str, int]) -> None:
        """Make a snapshot the backup."""
        ...


@dataclass(frozen=True)
class Snapshot:
    """Where the parts of a snapshot lie in its folder."""

    catalog: Path
    index: Path
    imports: Path


@dataclass(frozen=True)
class BackUp:
    """`copy_index` copies the index that serves to a new folder. `copy_catalog` copies the catalog to a file, in place
    of what is there, and opens the copy. `kept` and `kept_files`: where the archive keeps pictures and files of
    imports. `margin`: how far the clocks of those who note in the catalog when the index was told may be behind.
    `tell` hears what is being done.
    """

    archive: Archive
    layout: Callable[[Path], Snapshot]
    copy_index: Callable[[Path], IndexCopy]
    copy_catalog: Callable[[Path], AbstractContextManager[CatalogCopy]]
    pictures: BlobStore
    files: ImportFiles
    kept: BlobStore
    kept_files: Callable[[Path], ImportFiles]
    clock: Clock
    version: str
    margin: timedelta
    tell: Callable[[str], None] = lambda _: None

    def __call__(self) -> Backup:
        """The backup that was made. Raises `Unavailable` or `Misconfigured`; the former backup is whole then."""
        known = self._known()
        folder = self.archive.begin()
        snapshot = self.layout(folder)
        index, counts, lost = self._copy(snapshot, known)
        index = replace(index, told_before=index.told_before - self.margin)
        counts["points"] = index.points
        backup = Backup(folder.name, self.clock(), self.version, index, counts, tuple(sorted(lost)))
        self.tell("writing everything to the disk")
        self.archive.finish(backup, known)
        for content_hash in self.kept.unused_since(EVER):
            if content_hash not in known:
                self.kept.discard(content_hash, unused_since=EVER)
        return backup

    def _known(self) -> dict[str, int]:
        """The pictures of the former backup that lie there still."""
        former = self.archive.backup()
        noted = self.archive.picture_list(former) if former else {}
        return {name: noted[name] for name in self.kept.unused_since(EVER) if name in noted}

    def _copy(self, snapshot: Snapshot, known: dict[str, int]) -> tuple[IndexCopy, dict[str, int], set[str]]:
        """The index's copy, the catalog's counts, and what could not be had. `known` is what belongs to it then."""
        lost: set[str] = set()
        self.tell("copying the index")
        index = self.copy_index(snapshot.index)
        for _ in range(ROUNDS):
            self.tell("copying the catalog")
            with self.copy_catalog(snapshot.catalog) as catalog:
                if catalog.serving() != index.number:  # another one came to serve between the two copies
                    self.tell("copying the index again")
                    index = self.copy_index(snapshot.index)
                    continue
                catalog.forget_other_indexes()
                gone = self._copy_pictures(set(catalog.pictures()), known)
                gone |= self._copy_files(catalog.sources(), self.kept_files(snapshot.imports))
                if gone <= lost:  # nothing, or what was gone before this copy of the catalog was made
                    return index, catalog.counts(), gone
                lost = gone
        raise Unavailable(f"what the catalog speaks of was removed {ROUNDS} times before it could be copied")

    def _copy_pictures(self, wanted: set[str], known: dict[str, int]) -> set[str]:
        for name in known.keys() - wanted:
            del known[name]
        new = sorted(wanted - known.keys())
        told = lambda done: self.tell(f"copying pictures: {done} of {len(new)}")  # noqa: E731 - a line of progress
        copied = CopyPictures(self.pictures, self.kept, told)(new)
        known.update(copied.sizes)
        return copied.lost

    def _copy_files(self, wanted: set[str], kept: ImportFiles) -> set[str]:
        there, gone = set(kept.names_before(EVER)), set[str]()
        for name in there - wanted:
            kept.delete(name)
        for name in sorted(wanted - there):
            try:
                with self.files.open(name) as file:
                    kept.adopt(name, file)
            except ImportFileMissing:
                gone.add(name)
        return gone
