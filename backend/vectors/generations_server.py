"""Generations on a Qdrant server: the collection the settings name, then `<name>-2` and so on."""

from collections.abc import Callable
from contextlib import closing

from backend.ports import Space
from backend.vectors.generations import Opened, named
from backend.vectors.server import Server
from backend.vectors.server_design import Design
from backend.vectors.server_store import ServerStore


class ServerGenerations:
    """See `backend.vectors.generations.Generations`."""

    def __init__(self, connect: Callable[[], Server], collection: str, design: Design | None = None) -> None:
        """`connect` gives each store a connection of its own, which it closes."""
        self._connect = connect
        self._collection = collection
        self._design = design

    def stored_space(self, number: int) -> Space | None:
        """See the protocol."""
        with closing(self._connect()) as server:
            return ServerStore.stored_space(server, named(self._collection, number))

    def open_or_create(self, number: int, space: Space, *, beside: bool = False) -> Opened:  # noqa: ARG002 - Edge's
        """A server neither stands still for an opening nor loses what it has answered."""
        name = named(self._collection, number)
        return Opened(ServerStore.open_or_create(self._connect(), name, space, self._design))

    def settle(self, number: int) -> None:
        """The server optimizes by itself."""

    def remove(self, number: int) -> None:
        """See the protocol."""
        with closing(self._connect()) as server:
            ServerStore.remove(server, named(self._collection, number))
