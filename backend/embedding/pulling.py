"""A model of the hub -> a folder of its own, to be carried to a machine that reaches no hub."""

import shutil
from pathlib import Path
from typing import Final
from uuid import uuid4

from backend.embedding.choice import AUTO, PACKAGED
from backend.embedding.folder import missing_files, wanted_names
from backend.embedding.hub import Hub, folder_of, repository_of
from backend.errors import ModelUnavailable

_CLIENTS_NOTES: Final = ".cache"  # what the hub's client keeps in a folder it fills; no loader reads it


def pull_refusal(name: str, folder: Path) -> str | None:
    """Why `name` cannot be pulled into `folder`, before anything is asked or written; None when it may be."""
    if name in {AUTO, PACKAGED}:
        return f"{name} is no model of the hub; the packaged encoder needs none, it comes with the Python packages"
    if (local := folder_of(name)) is not None:
        return f"{local} is a folder, not a model of the hub; a folder can be copied as it is"
    if folder.is_mount():  # what is renamed onto it would come from another disk
        return f"a disk is mounted at {folder}; name a folder inside it"
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        return f"{folder} is there already and not empty; name a new folder"
    return None


def pull(name: str, folder: Path, hub: Hub) -> None:
    """Fill `folder` with what the loader needs of `name`, from the local cache where it is there, else from the hub.

    Complete or not at all: the files are gathered beside `folder`, and renamed once they are whole.
    Raises `errors.ModelUnavailable`.
    """
    repository = repository_of(name)
    folder = folder.resolve()
    part = folder.with_name(f".{folder.name}.{uuid4().hex}")
    try:
        part.mkdir(parents=True)
        cached = hub.cached_folder(repository)
        if cached is None:
            hub.download(repository, part)
            shutil.rmtree(part / _CLIENTS_NOTES, ignore_errors=True)
        else:
            _copy(cached, part)
        if missing := missing_files(part):
            raise ModelUnavailable(f"The copy of {name} lacks {', '.join(missing)}. Pull it again.")
        part.rename(folder)
    except OSError as err:
        raise ModelUnavailable(f"{folder} cannot be written: {err}") from err
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _copy(source: Path, target: Path) -> None:
    names = sorted(path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file())
    for name in wanted_names(names):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, target / name)  # the bytes, where the cache has a link to them
