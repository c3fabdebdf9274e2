"""Backup, restore and migration, wired over what settings name."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from backend.domain.backup import Backup, IndexCopy, IndexKind
from backend.errors import BackupUnusable, Misconfigured
from backend.keeping import begin_restore, finish_restore, open_kept, restore_begun
from backend.opening import catalog_url, now, open_catalog, places_of, serving_number
from backend.settings import Settings
from backend.usecases.back_up import BackUp, Snapshot
from backend.usecases.restore_backup import RestoreBackup, Restored

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from backend.backups.folder import BackupFolder
    from backend.catalog.copying import CopiedCatalog
    from backend.ports import BlobStore, ImportFiles

Tell = Callable[[str], None]

_ONE_CLOCK = timedelta(seconds=2)
"""One process notes both times; its clock may be set back meanwhile, mostly by less."""
_MANY_CLOCKS = timedelta(seconds=60)
"""Several machines do. Clocks of servers differ by less, and what is looked at twice costs a query."""


def make_backup(settings: Settings, folder: Path, copy_index: Callable[[Path], IndexCopy], tell: Tell) -> Backup:
    """A backup in `folder`, in place of the former one. `copy_index`: see `BackUp`.

    Raises `BackupUnusable`, `Misconfigured` or `Unavailable`; a former backup is whole then.
    """
    archive = _archive(folder)
    archive.prepare()
    kept = open_kept(settings)
    try:
        with archive.held():
            return BackUp(
                archive,
                _layout,
                copy_index,
                lambda file: _copied_catalog(settings, file),
                kept.blobs,
                kept.files,
                _kept_pictures(archive),
                _kept_files,
                now,
                version("shelfsight"),
                _ONE_CLOCK if settings.embedded else _MANY_CLOCKS,
                tell,
            )()
    finally:
        kept.close()


def copy_stopped_index(settings: Settings, folder: Path) -> IndexCopy:
    """Copy the index that serves, which this process opens: nobody else may have an embedded one open."""
    from backend.vectors.snapshots import described

    number = serving_number(settings)
    places = places_of(settings)
    space = places.stored_space(number)
    if space is None:
        raise Misconfigured("there is no index yet, so there is nothing to back up: start the server once")
    opened = places.open_or_create(number, space, beside=True)
    try:
        shutil.rmtree(folder, ignore_errors=True)
        opened.vectors.snapshot(folder)
    finally:
        opened.vectors.close()
    return replace(described(folder), number=number)


def take_snapshot(settings: Settings, name: str, number: int, folder: Path) -> IndexCopy:
    """Fetch the copy a running server has laid in the data directory."""
    from backend.vectors.snapshots import described, place_folder

    laid = settings.snapshots / name
    shutil.rmtree(folder, ignore_errors=True)
    try:
        laid.rename(folder)
    except OSError:  # another file system
        try:
            place_folder(laid, folder)
        finally:
            shutil.rmtree(laid, ignore_errors=True)
    return replace(described(folder), number=number)


def restore_backup(settings: Settings, folder: Path, tell: Tell, *, accept_damage: bool = False) -> Restored:
    """Make the installation the settings name of the backup in `folder`. It must be new: nothing is overwritten but
    what a restore that was ended half-way left.

    Raises `BackupUnusable`, `Misconfigured` or `Unavailable`. What is there then is no installation, and says so.
    """
    archive = _archive(folder)
    with archive.held():
        backup = archive.backup()
        if backup is None:
            raise BackupUnusable(f"there is no whole backup in {folder}: its making was not finished")
        _refuse_other_kind(settings, backup.index)
        again = restore_begun(settings, backup.index.number)
        if not again:
            _refuse_occupied(settings, backup.index.number)
        tell("checking the backup")
        snapshot = archive.check(backup)
        begin_restore(settings, backup.index.number)
        kept = open_kept(settings)
        try:
            restored = RestoreBackup(
                archive,
                _layout,
                lambda file: _place_catalog(settings, file, again=again),
                lambda copied, index: _place_index(settings, copied, index),
                lambda moment: _mark_due_since(settings, moment),
                _kept_pictures(archive),
                _kept_files,
                kept.blobs,
                kept.files,
                tell,
            )(backup, snapshot, accept_damage=accept_damage)
        finally:
            kept.close()
        _flush_index(settings, backup.index.number)
        finish_restore(settings)
    return restored


def _archive(folder: Path) -> "BackupFolder":
    from backend.backups.folder import BackupFolder

    return BackupFolder(folder)


def _layout(snapshot: Path) -> Snapshot:
    from backend.backups.folder import CATALOG, IMPORTS, INDEX

    return Snapshot(snapshot / CATALOG, snapshot / INDEX, snapshot / IMPORTS)


def _kept_pictures(archive: "BackupFolder") -> "BlobStore":
    from backend.blobs.filesystem import FilesystemBlobs

    return FilesystemBlobs(archive.pictures)


def _kept_files(folder: Path) -> "ImportFiles":
    from backend.blobs.import_files import FilesystemImportFiles

    return FilesystemImportFiles(folder)


@contextmanager
def _engine(settings: Settings) -> "Iterator[Engine]":
    from backend.catalog.engine import open_engine

    engine = open_engine(catalog_url(settings), connections=2)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def _copied_catalog(settings: Settings, file: Path) -> "Iterator[CopiedCatalog]":
    from backend.catalog.copying import CopiedCatalog, copy_to_file

    file.unlink(missing_ok=True)
    with _engine(settings) as engine:
        copy_to_file(engine, file)
    copied = CopiedCatalog(file)
    try:
        yield copied
    finally:
        copied.close()


def _refuse_other_kind(settings: Settings, index: IndexCopy) -> None:
    if index.kind is IndexKind.FOLDER and not settings.embedded:
        raise Misconfigured(
            "this is the backup of an embedded installation: restore it without SHELFSIGHT_STORES__QDRANT_URL, then "
            "move it with `shelfsight migrate`"
        )


def _refuse_occupied(settings: Settings, number: int) -> None:
    """Look at all that will be written to, before anything is."""
    from backend.catalog.copying import refuse_occupied

    names = ("catalog.db", "pictures", "imports", "broker")
    there = [name for name in names if (settings.data_dir / name).exists()]
    there += [path.name for path in settings.data_dir.glob("index*")]
    if there:
        raise Misconfigured(f"{settings.data_dir} holds {', '.join(there)}: name an empty directory")
    if settings.stores.catalog_url is not None:
        with _engine(settings) as engine:
            refuse_occupied(engine)
    if not settings.embedded:
        _refuse_index(settings, number)


def _refuse_index(settings: Settings, number: int) -> None:
    if places_of(settings).stored_space(number) is not None:
        raise Misconfigured(
            f"the Qdrant server has a collection {settings.stores.qdrant_collection} already: name another with "
            "SHELFSIGHT_STORES__QDRANT_COLLECTION"
        )


def _place_catalog(settings: Settings, file: Path, *, again: bool) -> None:
    from backend.catalog.copying import copy_from_file

    with _engine(settings) as engine:
        copy_from_file(file, engine, again=again)


def _place_index(settings: Settings, folder: Path, index: IndexCopy) -> int:
    """What was there is an ended restore's. How many points there are."""
    from backend.vectors.generations import named
    from backend.vectors.snapshots import fill_from, place_folder, space_of

    places, space = places_of(settings), space_of(index)
    places.remove(index.number)
    if index.kind is IndexKind.FOLDER:
        place_folder(folder, settings.data_dir / named("index", index.number))
    opened = places.open_or_create(index.number, space, beside=True)
    try:
        if index.kind is IndexKind.POINTS:
            return fill_from(folder, opened.vectors)
        if opened.damaged:
            return opened.vectors.count()
        opened.accept_loss()  # what it may lack is made due by the catalog's own time
        return index.points
    finally:
        opened.vectors.close()


def _flush_index(settings: Settings, number: int) -> None:
    """What was copied, and what was written when it was opened."""
    from backend.vectors.generations import named
    from backend.vectors.snapshots import flush_placed

    if settings.embedded:
        flush_placed(settings.data_dir / named("index", number))


def _mark_due_since(settings: Settings, moment: datetime) -> int:
    truth = open_catalog(settings)
    try:
        return truth.ledger.mark_due_since(moment)
    finally:
        truth.close()
