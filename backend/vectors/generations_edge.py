"""Generations of the embedded index: `index/`, then `index-2/` and so on, in the data directory."""

from dataclasses import replace
from pathlib import Path

from backend.ports import Space
from backend.vectors.edge_limits import EdgeLimits
from backend.vectors.edge_store import EdgeStore
from backend.vectors.generations import Opened, named


class EdgeGenerations:
    """See `backend.vectors.generations.Generations`."""

    def __init__(self, data_dir: Path, limits: EdgeLimits) -> None:
        self._data_dir = data_dir
        self._limits = limits

    def folder(self, number: int) -> Path:
        """The folder of a generation."""
        return self._data_dir / named("index", number)

    def stored_space(self, number: int) -> Space | None:
        """Takes no lock, so any process may ask."""
        return EdgeStore.stored_space(self.folder(number))

    def open_or_create(self, number: int, space: Space, *, beside: bool = False) -> Opened:
        """Opening optimizes, unless it is done `beside` searches: the engine would stop them for seconds."""
        limits = replace(self._limits, optimize_points=0) if beside else self._limits
        store = EdgeStore.open_or_create(self.folder(number), space, limits)
        return Opened(store, store.unsure_since, bool(store.missing_points), store.accept_loss)

    def settle(self, number: int) -> None:
        """Optimize, as every opening does that is not `beside` searches, and build what is wanted of a graph: then it
        serves at its full speed from the first search on.
        """
        store = EdgeStore.open(self.folder(number), self._limits)
        try:
            store.grow()
        finally:
            store.close()

    def remove(self, number: int) -> None:
        """See the protocol."""
        EdgeStore.remove(self.folder(number))
