"""Copies of an index: what is said of one, and how another index is made of it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from backend.domain.backup import IndexCopy, IndexKind
from backend.errors import IndexUnavailable
from backend.ports import Space, VectorStore
from backend.vectors.edge_copy import copy_shard, flush_folder
from backend.vectors.points_file import read_points_files, write_points_files
from backend.vectors.sidecar import read_sidecar

_DESCRIPTION: Final = "points.json"


def snapshot_points(store: VectorStore, folder: Path) -> None:
    """Write all points to a new folder, while others write to the index. Raises `IndexUnavailable`."""
    begun = datetime.now(UTC)  # before the first is read: a point that changes later may have been read before
    points = write_points_files(folder, store.scan())
    space = store.space
    content = {
        "points": points,
        "told_before": begun.isoformat(),
        "space": {"model": space.model, "dimension": space.dimension, "fingerprint": space.fingerprint},
    }
    try:
        (folder / _DESCRIPTION).write_text(json.dumps(content, indent=1), "utf-8")
    except OSError as err:
        raise IndexUnavailable(f"The index cannot be copied to {folder}: {err.strerror or err}") from err


def described(folder: Path) -> IndexCopy:
    """What a copy of an index is. Raises `IndexUnavailable` when it is none, or damaged."""
    sidecar = read_sidecar(folder)
    if sidecar is not None and sidecar.flushed_at is not None:
        space = sidecar.space
        names = (space.model, space.dimension, space.fingerprint)
        return IndexCopy(IndexKind.FOLDER, sidecar.points, sidecar.flushed_at, *names)
    try:
        content = json.loads((folder / _DESCRIPTION).read_text("utf-8"))
        told_before = datetime.fromisoformat(content["told_before"])
        return IndexCopy(IndexKind.POINTS, content["points"], told_before, **content["space"])
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise IndexUnavailable(f"{folder} holds no copy of an index: {err}") from err


def space_of(copy: IndexCopy) -> Space:
    """The space a copy is of."""
    return Space(copy.model, copy.dimension, copy.fingerprint)


def fill_from(folder: Path, store: VectorStore) -> int:
    """Write the points of a copy to an index; how many. What is there already and not older stays."""
    written = 0
    for points in read_points_files(folder):
        store.upsert(points)
        written += len(points)
    store.flush()
    return written


def place_folder(folder: Path, place: Path) -> None:
    """Lay a copy of an embedded index where it is opened. Raises `IndexUnavailable`."""
    try:
        copy_shard(folder, place)
    except OSError as err:
        raise IndexUnavailable(f"The index cannot be copied to {place}: {err}") from err


def flush_placed(place: Path) -> None:
    """Make an index that was laid there, and closed, survive a loss of power. Raises `IndexUnavailable`."""
    try:
        flush_folder(place)
    except OSError as err:
        raise IndexUnavailable(f"{place} cannot be flushed to the disk: {err}") from err
