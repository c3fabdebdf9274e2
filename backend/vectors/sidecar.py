"""The description beside an embedded index.

Qdrant Edge 0.9 keeps no metadata of its own, and loads without a word when a part of its files is gone; so the space,
the expected number of points and the moment up to which everything is on the disk stand here.
"""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from backend import errors
from backend.durable import put_in_place
from backend.ports import Space

FORMAT = 5
"""The layout of the folder, and which facts and ids its points have. 1 was that of versions before words could be
searched, 2 of those before attributes' numbers had an index in common, 3 before the id of a point told its product, 4
before points listed their shelves."""

NAME = "index.json"
SHARD = "shard"
"""Where an index's first shard stands; those built in its place have names of their own."""


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What an index is for, and how many points it held at the last flush, less those removed since.

    `flushed_at`: what was written before this moment survives a loss of power. `clean`: so does everything else, as
    nobody has had the index open since.

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

    Raises `IndexUnavailable` when it cannot be read, and `Misconfigured` when another version wrote it.
    """
    file = folder / NAME
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise errors.Misconfigured(_refusal(file, content["format"]))
        flushed_at = content["flushed_at"]
        return Sidecar(
            space=Space(**content["space"]),
            created_at=content["created_at"],
            points=content["points"],
            flushed_at=None if flushed_at is None else datetime.fromisoformat(flushed_at),
            clean=content["clean"],
            shard=content["shard"],
            graph=content["graph"],
            changed=content["changed"],
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
        "format": FORMAT,
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
        draft.write_text(json.dumps(content, indent=2), "utf-8")
        if durable:
            put_in_place(draft, folder / NAME)
        else:
            draft.replace(folder / NAME)
    except OSError as err:
        raise errors.IndexUnavailable(f"{folder / NAME} cannot be written ({err}).") from err


def _refusal(file: Path, found: object) -> str:
    said = f"{file} has format {found}; this version reads format {FORMAT}. "
    if found in {1, 2, 3}:
        return f"{said}Remove {file.parent}: the next start makes every product due, and builds the index anew."
    return f"{said}Start the version that wrote it."
