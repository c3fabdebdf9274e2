"""An index's points in files: what a Qdrant server's index is kept as in a backup.

Whole vectors and payloads, so that any engine makes the same index of them without embedding anything again. The
server's own snapshots stay on the server, and are of one version of its format.
"""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from backend.domain.payload import Payload, point_id
from backend.domain.picture import Vector
from backend.domain.product import ProductKey
from backend.errors import IndexUnavailable
from backend.ports import Point

POINTS_PER_FILE = 10_000
"""In memory at once: 20 MB of vectors at 512 dimensions, and as much of payloads."""


def write_points_files(folder: Path, points: Iterable[Point]) -> int:
    """Write to a new folder; how many points. Raises `IndexUnavailable` when the disk refuses."""
    remaining, written = iter(points), 0
    try:
        folder.mkdir(parents=True)
        for number in range(10**6):
            some = list(islice(remaining, POINTS_PER_FILE))
            if not some:
                break
            facts = json.dumps([[point.point_id, point.payload] for point in some]).encode()
            np.savez(
                folder / f"points-{number:06}.npz",
                vectors=np.stack([point.vector for point in some]),
                facts=np.frombuffer(facts, np.uint8),
            )
            written += len(some)
    except OSError as err:
        raise IndexUnavailable(f"The index cannot be copied to {folder}: {err.strerror or err}") from err
    return written


def read_points_files(folder: Path) -> Iterator[list[Point]]:
    """The points as they were written, file by file. Raises `IndexUnavailable` when one is damaged."""
    for file in sorted(folder.glob("points-*.npz")):
        try:
            with np.load(file, allow_pickle=False) as content:  # a zip, whose checksums are compared in reading
                vectors, facts = content["vectors"], json.loads(content["facts"].tobytes())
            points = [_point(vector, payload) for (_, payload), vector in zip(facts, vectors, strict=True)]
        except Exception as err:  # zipfile, numpy and json each have their own words for it
            raise IndexUnavailable(f"{file} cannot be read: {err}") from err
        yield points


def _point(vector: Vector, payload: Payload) -> Point:
    """Its id is made anew: an older version's tells nothing of its product."""
    key = ProductKey(str(payload["merchant"]), str(payload["product_id"]))
    return Point(point_id(key, str(payload["image"])), vector, payload)
