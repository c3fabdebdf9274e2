"""Holding an index to the space it was made for."""

from backend.errors import ModelMismatch
from backend.ports import Space


def refuse_other_space(place: str, stored: Space, wanted: Space) -> None:
    """Raise `ModelMismatch` unless both are the same: vectors of two spaces compare to nonsense in silence."""
    if stored != wanted:
        raise ModelMismatch(
            f"The index at {place} was built with {_named(stored)}, not with {_named(wanted)}. "
            "Run `shelfsight reindex --model <model>`, or set `model` back to the index's own."
        )


def _named(space: Space) -> str:
    return f"{space.model} ({space.dimension} dimensions, fingerprint {space.fingerprint[:12]})"
