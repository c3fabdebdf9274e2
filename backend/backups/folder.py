"""The folder of a backup.

    backup.json        which snapshot is the backup: replaced as the last act of making one
    snapshot-<when>/   the catalog, the index, files of imports, and files.json with the size and sha-256 of each
    pictures/          the bytes of pictures by content hash, shared by snapshots, as in a data directory

A snapshot that `backup.json` does not name is one whose making was ended. It is no backup, and the next removes it.
"""

import fcntl
import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

from backend.domain.backup import Backup, IndexCopy, IndexKind
from backend.durable import flush_path, put_in_place
from backend.errors import BackupUnusable, DataDirectoryInUse

FORMAT: Final = 1
"""The layout of the folder. A greater one was written by a later version, which this one cannot read."""

CATALOG, INDEX, IMPORTS, PICTURES = "catalog.db", "index", "imports", "pictures"
_DESCRIPTION: Final = "backup.json"
_FILES: Final = "files.json"
_PICTURE_LIST: Final = "pictures.txt"
_SNAPSHOT: Final = "snapshot-"
_CHUNK_BYTES: Final = 1 << 20


class BackupFolder:
    """See the module. Every method raises `BackupUnusable` when the disk refuses or what is there cannot be used."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def pictures(self) -> Path:
        """Where the bytes of pictures lie."""
        return self.path / PICTURES

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other commands out. Raises `DataDirectoryInUse`."""
        lock = self._lock()
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataDirectoryInUse(f"another command works on {self.path}") from None
        else:
            yield
        finally:
            lock.close()

    def _lock(self) -> IO[str]:
        with _our_errors(self.path):
            return (self.path / "lock").open("a+")

    def prepare(self) -> None:
        """Make the folder. What is there must be nothing, or a folder of backups: other files are left alone."""
        with _our_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            known = {_DESCRIPTION, PICTURES, "lock", f"{_DESCRIPTION}.new"}
            others = [it.name for it in self.path.iterdir() if it.name not in known and not _is_snapshot(it)]
        if others:
            raise BackupUnusable(f"{self.path} holds other files ({', '.join(sorted(others)[:3])}): name a new folder")

    def backup(self) -> Backup | None:
        """The backup that is there; None when there is none."""
        with _our_errors(self.path):
            try:
                content = json.loads((self.path / _DESCRIPTION).read_text("utf-8"))
            except (FileNotFoundError, NotADirectoryError):
                return None
        try:
            if content["format"] != FORMAT:
                raise BackupUnusable(
                    f"{self.path} has format {content['format']} and this version reads format {FORMAT}: "
                    f"restore it with Shelfsight {content.get('version')}"
                )
            return _backup_of(content)
        except (KeyError, TypeError, ValueError) as err:
            raise BackupUnusable(f"{self.path / _DESCRIPTION} cannot be read: {err}") from err

    def begin(self) -> Path:
        """A new, empty folder for a snapshot; what is left of those whose making was ended is removed."""
        former = self.backup()
        with _our_errors(self.path):
            self._remove_others(former.name if former else None)
            draft = self.path / f"{_SNAPSHOT}{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
            (draft / IMPORTS).mkdir(parents=True)
        return draft

    def finish(self, backup: Backup, pictures: Mapping[str, int]) -> None:
        """Make a snapshot the backup. `pictures`: content hash -> bytes. The former one is whole until this returns."""
        folder = self.path / backup.name
        with _our_errors(self.path):
            lines = (f"{name} {size}\n" for name, size in sorted(pictures.items()))
            with (folder / _PICTURE_LIST).open("w", encoding="ascii") as file:
                file.writelines(lines)
            found = {name: _fact(folder / name) for name in sorted(_names(folder))}
            (folder / _FILES).write_text(json.dumps(found, indent=1), "utf-8")
            # All of it is on the disk before it is called the backup; pictures were flushed as they were put.
            for path in (*folder.rglob("*"), folder, self.path):
                flush_path(path)
            draft = self.path / f"{_DESCRIPTION}.new"
            draft.write_text(json.dumps(_content(backup, _sha256(folder / _FILES)), indent=1), "utf-8")
            put_in_place(draft, self.path / _DESCRIPTION)
            self._remove_others(backup.name)

    def check(self, backup: Backup) -> Path:
        """The backup's snapshot, after every file in it was compared with its size and sha-256."""
        folder = self.path / backup.name
        with _our_errors(self.path):
            content = json.loads((self.path / _DESCRIPTION).read_text("utf-8"))
            if _sha256(folder / _FILES) != content["files"]:
                raise BackupUnusable(f"{folder / _FILES} was changed or damaged")
            noted = json.loads((folder / _FILES).read_text("utf-8"))
            others = _names(folder) ^ {*noted, _FILES}
            if others:
                raise BackupUnusable(f"{folder} lacks files, or has others: {', '.join(sorted(others)[:3])}")
            for name, (size, sha256) in noted.items():
                if _fact(folder / name) != (size, sha256):
                    raise BackupUnusable(f"{folder / name} was changed or damaged")
        return folder

    def picture_list(self, backup: Backup) -> dict[str, int]:
        """Content hash -> bytes, of the backup's pictures."""
        with _our_errors(self.path), (self.path / backup.name / _PICTURE_LIST).open(encoding="ascii") as file:
            return {name: int(size) for name, size in (line.split() for line in file)}

    def _remove_others(self, name: str | None) -> None:
        for path in self.path.glob(f"{_SNAPSHOT}*"):
            if path.name != name:
                shutil.rmtree(path)


def _is_snapshot(path: Path) -> bool:
    return re.fullmatch(_SNAPSHOT + "[0-9T]+", path.name) is not None


def _content(backup: Backup, files_sha256: str) -> dict[str, Any]:
    index = asdict(backup.index) | {"told_before": backup.index.told_before.isoformat()}
    fields = asdict(backup) | {"made_at": backup.made_at.isoformat(), "index": index}
    return {"format": FORMAT, **fields, "files": files_sha256}


def _backup_of(content: dict[str, Any]) -> Backup:
    if not _is_snapshot(Path(content["name"])):
        raise ValueError(f"{content['name']!r} names no snapshot")
    index = dict(content["index"])
    index["kind"] = IndexKind(index["kind"])
    index["told_before"] = datetime.fromisoformat(index["told_before"])
    return Backup(
        name=content["name"],
        made_at=datetime.fromisoformat(content["made_at"]),
        version=content["version"],
        index=IndexCopy(**index),
        counts=content["counts"],
        lost=tuple(content["lost"]),
    )


def _names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def _fact(path: Path) -> tuple[int, str]:
    return path.stat().st_size, _sha256(path)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def _our_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as err:
        raise BackupUnusable(f"the backup in {path} cannot be read or written: {err}") from err
    except (ValueError, KeyError, TypeError) as err:
        raise BackupUnusable(f"the backup in {path} is damaged: {err}") from err
