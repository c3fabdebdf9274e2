"""What a disk's refusal is called, and how much is asked of it at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from backend import errors

CHUNK_BYTES: Final = 1 << 20
"""1 MB: large enough that the system calls cost nothing beside the rest, small enough for many uploads at once."""


@contextmanager
def unavailable(done: str) -> Iterator[None]:
    """OSError (no space, read-only, no permission, a vanished mount) -> `errors.BlobsUnavailable` with the reason."""
    try:
        yield
    except OSError as err:
        raise errors.BlobsUnavailable(f"The picture store cannot be {done}: {err.strerror or err}.") from err
