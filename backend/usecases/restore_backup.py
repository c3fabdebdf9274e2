"""Make an installation of a backup, in the order in which it was made the other way round: the bytes, the catalog, the
index; then whatever the index may not have been told is due again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from backend.domain.backup import Backup, IndexCopy
from backend.errors import BackupUnusable
from backend.ports import BlobStore, ImportFiles
from backend.usecases.back_up import EVER, Archive, Snapshot
from backend.usecases.copy_pictures import CopyPictures


@dataclass(frozen=True)
class Restored:
    """`pictures`: how many were copied. `damaged`: those that were not, as their bytes are not what they were.
    `due`: products that are looked at again, for the index is older than the catalog by as long as the copies took.
    """

    backup: Backup
    pictures: int
    damaged: int
    due: int


@dataclass(frozen=True)
class RestoreBackup:
    """`place_catalog` and `place_index` make the installation's of the backup's; the latter says how many points there
    are. `mark_due_since`: see `backend.ports.Ledger`.
    """

    archive: Archive
    layout: Callable[[Path], Snapshot]
    place_catalog: Callable[[Path], None]
    place_index: Callable[[Path, IndexCopy], int]
    mark_due_since: Callable[[datetime], int]
    kept: BlobStore
    kept_files: Callable[[Path], ImportFiles]
    pictures: BlobStore
    files: ImportFiles
    tell: Callable[[str], None] = lambda _: None

    def __call__(self, backup: Backup, folder: Path, *, accept_damage: bool = False) -> Restored:
        """`folder`: the backup's snapshot, which was checked. `accept_damage`: go on without pictures whose bytes were
        damaged in the backup.

        Raises `BackupUnusable` when a part of it is not what it was when it was made.
        """
        snapshot = self.layout(folder)
        pictures, damaged = self._pictures(backup, accept_damage=accept_damage)
        kept_files = self.kept_files(snapshot.imports)
        for name in kept_files.names_before(EVER):
            with kept_files.open(name) as file:
                self.files.adopt(name, file)
        self.tell("restoring the catalog")
        self.place_catalog(snapshot.catalog)
        self.tell("restoring the index")
        points = self.place_index(snapshot.index, backup.index)
        if points != backup.index.points:
            raise BackupUnusable(f"the index has {points} points after the restore and had {backup.index.points}")
        return Restored(backup, pictures, damaged, self.mark_due_since(backup.index.told_before))

    def _pictures(self, backup: Backup, *, accept_damage: bool) -> tuple[int, int]:
        sizes = self.archive.picture_list(backup)
        told = lambda done: self.tell(f"restoring pictures: {done} of {len(sizes)}")  # noqa: E731 - a line of progress
        copied = CopyPictures(self.kept, self.pictures, told)(sizes)
        if copied.lost and not accept_damage:
            raise BackupUnusable(
                f"{len(copied.lost)} of {len(sizes)} pictures in the backup are missing or damaged, such as "
                f"{min(copied.lost)}. To restore all others: --accept-damage"
            )
        return len(copied.sizes), len(copied.lost)
