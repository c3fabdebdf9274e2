"""Where each generation of the index lives: in a folder or a collection of its own. The first has the plain name."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from backend.domain.generation import FIRST
from backend.ports import Space, VectorStore


@dataclass(frozen=True, slots=True)
class Opened:
    """An index that is open. `unsure_since`: what was written to it since then may be gone with a loss of power.
    `damaged`: points are missing. Both stand, over restarts too, until `accept_loss`.
    """

    vectors: VectorStore
    unsure_since: datetime | None = None
    damaged: bool = False
    accept_loss: Callable[[], None] = lambda: None


class Generations(Protocol):
    """The places of one installation."""

    def stored_space(self, number: int) -> Space | None:
        """The space of a generation; None when it is not there."""
        ...

    def open_or_create(self, number: int, space: Space, *, beside: bool = False) -> Opened:
        """Open a generation, or make it. `beside`: in a process that answers searches meanwhile.

        Raises `errors.ModelMismatch`, `errors.DataDirectoryInUse`, `errors.IndexUnavailable`.
        """
        ...

    def settle(self, number: int) -> None:
        """After a generation was filled, and while nobody has it open: spare whoever opens it what stops a process."""
        ...

    def remove(self, number: int) -> None:
        """Delete a generation that nobody has open; nothing happens when it is not there."""
        ...


def named(name: str, number: int) -> str:
    """The name of a generation's folder or collection."""
    return name if number == FIRST else f"{name}-{number}"
