"""Which generations of the index there are, which serves, and how far a new one is."""

from dataclasses import dataclass, replace

from backend.domain.generation import Generation, IndexState
from backend.ports import Clock, Indexes
from backend.usecases.served_index import ServedIndex


@dataclass(frozen=True)
class ReadIndex:
    """`served`: what this process searches, for the catalog notes nothing of it until its encoder is changed."""

    indexes: Indexes
    served: ServedIndex
    clock: Clock

    def __call__(self) -> list[Generation]:
        """The oldest first, at least the one that serves. Raises `Unavailable`."""
        noted = [it for it in self.indexes.generations() if it.state is not IndexState.DROPPED]
        return noted or [self._first()]

    def _first(self) -> Generation:
        space, now = self.served.vectors.space, self.clock()
        number = self.served.number
        made = Generation(number, IndexState.SERVING, space.model, space.dimension, space.fingerprint, now, now)
        return replace(made, filled=True)
