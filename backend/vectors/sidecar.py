"""The description beside an embedded index.

Qdrant Edge 0.9 keeps no metadata of its own, and loads without a word when a part of its files is gone; so the space,
the expected number of points and the moment up to which everything is on the disk stand here.
"""

import json
import os
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from backend import errors
from backend.ports import Space

FORMAT = 1
"""The layout of the folder. A greater one was written by a later version, which this one must not touch."""
FORMAT_MOVED = 2
"""As 1, but the shard stands elsewhere than in `shard`: a version that knows format 1 only would make an empty one."""

NAME = "index.json"
SHARD = "shard"
"""Where an index's first shard stands; those built in its place have names of their own."""


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What an index is for, and how many points it held at the last flush, less those removed since.

    `flushed_at`: what was written before this moment survives a loss of power. `clean`: so does everything else, as
    nobody has had the index open since. Descriptions of earlier versions had neither, and count as clean.

    `shard`: the folder of the shard, beside the description. `graph`: it has an HNSW graph. `changed`: points written
    since its segments were last built, each as often as it was written.
    """

    space: Space
    created_at: str
    points: int = 0
    flushed_at: datetime | None = None
    clean: bool = True
    shard: str = SHARD
    graph: bool = False
    changed: int = 0


def read_sidecar(folder: Path) -> Sidecar | None:
    """The description; None when there is none. Takes no lock, so any process may ask.

    Raises `IndexUnavailable` when it cannot be read, and `Misconfigured` when a later version wrote it.
    """
    file = folder / NAME
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["format"] not in {FORMAT, FORMAT_MOVED}:
            raise errors.Misconfigured(
                f"{file} has format {content['format']}; this version reads formats {FORMAT} and {FORMAT_MOVED}."
            )
        flushed_at = content.get("flushed_at")
        return Sidecar(
            space=Space(**content["space"]),
            created_at=content["created_at"],
            points=content["points"],
            flushed_at=None if flushed_at is None else datetime.fromisoformat(flushed_at),
            clean=content.get("clean", True),
            shard=content.get("shard", SHARD),
            graph=content.get("graph", False),
            # Of a description that does not say, all is taken for changed: at worst its segments are built once more.
            changed=content.get("changed", content["points"]),
        )
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise errors.IndexUnavailable(
            f"{file} cannot be read ({err}). Remove {folder} and build the index anew."
        ) from err


def write_sidecar(folder: Path, sidecar: Sidecar, *, durable: bool) -> None:
    """Replace the description whole. `durable`: it survives a loss of power, not only the end of the process.

    Raises `IndexUnavailable` when the disk refuses.
    """
    content = {
        "format": FORMAT if sidecar.shard == SHARD else FORMAT_MOVED,
        "space": asdict(sidecar.space),
        "created_at": sidecar.created_at,
        "points": sidecar.points,
        "flushed_at": None if sidecar.flushed_at is None else sidecar.flushed_at.isoformat(),
        "clean": sidecar.clean,
        "shard": sidecar.shard,
        "graph": sidecar.graph,
        "changed": sidecar.changed,
    }
    draft = folder / f"{NAME}.new"
    try:
        with draft.open("w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        draft.replace(folder / NAME)
        if durable:
            _fsync_folder(folder)
    except OSError as err:
        raise errors.IndexUnavailable(f"{folder / NAME} cannot be written ({err}).") from err


def _fsync_folder(folder: Path) -> None:
    """Make a rename survive a loss of power: POSIX promises it for the name only when the folder is synced."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
