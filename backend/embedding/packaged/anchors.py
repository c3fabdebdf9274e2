"""The sentence vectors of every known phrase, computed once and kept on disk: a query is compared with all of them."""

import logging
import os
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from backend.embedding.packaged.class_space import Floats
from backend.embedding.packaged.sentences import SENTENCE_DIMENSION

_log = logging.getLogger(__name__)

_UNIT_TOLERANCE = 1e-3
"""A stored row whose length is off by more was not written by us, or not read as written."""


def cached_anchors(
    path: Path, fingerprint: str, texts: Sequence[str], embed: Callable[[Sequence[str]], Floats]
) -> Floats:
    """(n, 384) for the n texts: from the file when it is sound and of this fingerprint, else computed and written.

    The file only saves time, so nothing about it is an error: a damaged one is replaced, and where it cannot be
    written (a read-only or full disk) the anchors are computed at each start.
    """
    stored = _read(path, fingerprint, len(texts))
    if stored is not None:
        return stored
    anchors = embed(texts)
    try:
        _write(path, fingerprint, anchors)
    except OSError as err:
        _log.warning("The text anchors cannot be kept in %s and will be computed at each start: %s", path, err)
    return anchors


def _read(path: Path, fingerprint: str, count: int) -> Floats | None:
    try:
        # Opened here, because np.load leaves a damaged file open. A pickle inside could run code; ours has none.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            written_for, anchors = str(stored["fingerprint"]), stored["anchors"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as err:
        _log.warning("The text anchors in %s are damaged and will be computed again: %s", path, err)
        return None
    sound = (
        written_for == fingerprint
        and anchors.shape == (count, SENTENCE_DIMENSION)
        and anchors.dtype == np.float32
        and np.all(np.abs(np.linalg.norm(anchors, axis=1) - 1) < _UNIT_TOLERANCE)  # false for NaN too
    )
    if not sound:
        _log.warning("The text anchors in %s are of another encoder and will be computed again.", path)
    return anchors if sound else None


def _write(path: Path, fingerprint: str, anchors: Floats) -> None:
    """To a file beside it, then renamed over it: a reader sees the old file, the new one, or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".part")
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            np.savez(file, fingerprint=np.array(fingerprint), anchors=anchors)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
