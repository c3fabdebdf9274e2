"""`shelfsight backup` and `shelfsight restore`."""

import fcntl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from backend.cli.told import told
from backend.errors import DataDirectoryInUse
from backend.settings import Settings, load_settings

if TYPE_CHECKING:
    from backend.domain.backup import Backup, IndexCopy
    from backend.moving import Tell

console = Console()

EXIT_LOST = 1  # as `doctor`: the command did its work and found something wrong


def backup(
    folder: Annotated[Path, typer.Argument(help="Where to keep it: a new folder, or that of the backup before.")],
) -> None:
    """Back up catalog, pictures and index while everything goes on. The next one copies new pictures only."""
    begun = time.monotonic()
    with told(), _telling("backing up") as tell:
        made = back_up(load_settings(), folder.absolute(), tell)
    _line(f"{_counted(made.counts)} are in {folder} ({time.monotonic() - begun:.1f} s).")
    if made.lost:
        _line(f"{len(made.lost)} pictures or files of imports were lost before and are not in it: {made.lost[0]} …")
        raise typer.Exit(EXIT_LOST)


def restore(
    folder: Annotated[Path, typer.Argument(help="What `shelfsight backup` has made.")],
    accept_damage: Annotated[
        bool, typer.Option("--accept-damage", help="Restore without pictures that were damaged in the backup.")
    ] = False,
) -> None:
    """Make an installation of a backup, in an empty data directory (SHELFSIGHT_DATA_DIR). The server is stopped."""
    from backend.cli.supervisor import hold
    from backend.moving import restore_backup

    begun = time.monotonic()
    with told(), _telling("restoring") as tell:
        settings = load_settings()
        with hold(settings.data_dir):
            done = restore_backup(settings, folder.absolute(), tell, accept_damage=accept_damage)
    made = done.backup
    _line(
        f"{_counted(made.counts)} of {made.made_at:%Y-%m-%d %H:%M} UTC are in {settings.data_dir} "
        f"({time.monotonic() - begun:.1f} s); every file and every picture was compared with its checksum."
    )
    if done.damaged:
        _line(f"{done.damaged} pictures were damaged in the backup and are missing.")
    _line(f"Start the server: {done.due} products are looked at again, for the index was copied before the catalog.")


def back_up(settings: Settings, folder: Path, tell: "Tell") -> "Backup":
    """Have the server that runs copy its index, or copy it here when none does."""
    from backend.cli.supervisor import hold, is_held
    from backend.moving import copy_stopped_index, make_backup

    with _alone(settings.data_dir):
        if not settings.embedded:
            return make_backup(settings, folder, partial(copy_stopped_index, settings), tell)
        if is_held(settings.data_dir):
            return make_backup(settings, folder, partial(_copy_of_the_server, settings), tell)
        with hold(settings.data_dir):
            return make_backup(settings, folder, partial(copy_stopped_index, settings), tell)


def _copy_of_the_server(settings: Settings, folder: Path) -> "IndexCopy":
    from backend.cli.client import running
    from backend.moving import take_snapshot

    with running(settings, url=None, merchant="default") as api:
        laid = api.snapshot_index()
    return take_snapshot(settings, laid["name"], laid["number"], folder)


@contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    """One backup at a time: a server lays one copy of its index. Raises `DataDirectoryInUse`."""
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / "backup.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataDirectoryInUse(f"another backup of {data_dir} is being made") from None
        yield


@contextmanager
def _telling(what: str) -> "Iterator[Tell]":
    """One line that says what is being done, on a terminal."""
    with console.status(what) as status:
        yield lambda doing: status.update(Text(doing))


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in counts.items())


def _line(text: str) -> None:
    console.print(Text(text), soft_wrap=True)
