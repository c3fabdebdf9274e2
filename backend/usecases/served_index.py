"""An index with the encoder it was built by: the two are never apart."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from backend.domain.generation import Generation
from backend.ports import Embedder, VectorStore


@dataclass(frozen=True)
class ServedIndex:
    """One generation, open. `reason`: why this encoder, for people.

    `unsure_since`: what was written to it since then may be gone with a loss of power. `damaged`: it lost points. Both
    stand until `accept_loss`.
    """

    number: int
    embedder: Embedder
    vectors: VectorStore
    reason: str
    unsure_since: datetime | None = None
    damaged: bool = False
    accept_loss: Callable[[], None] = lambda: None

    def place(self, generation: Generation) -> Generation:
        """How far the generation is for certain, now that its index has been opened."""
        if self.damaged:
            return replace(generation, after=None, done=0, filled=False)
        if self.unsure_since is not None:
            return replace(generation, told_before=min(generation.told_before, self.unsure_since))
        return generation
