"""The collection on a Qdrant server: made and described. Needs Qdrant 1.20 or later."""

from dataclasses import asdict

from qdrant_client import QdrantClient

from backend import errors
from backend.ports import Space
from backend.vectors.server import Server
from backend.vectors.server_design import Design, PayloadIndex, payload_indexes


def stored_space(server: Server, collection: str) -> Space | None:
    """The space in a collection's metadata; None when there is no such collection."""
    if not server.ask(lambda client: client.collection_exists(collection)):
        return None
    metadata = server.ask(lambda client: client.get_collection(collection)).config.metadata or {}
    try:
        return Space(**metadata["space"])
    except (KeyError, TypeError) as err:
        raise errors.Misconfigured(f"The collection {collection} was not made by Shelfsight: name another.") from err


def create_collection(server: Server, collection: str, space: Space, design: Design) -> None:
    """Make an empty collection. Raises `IndexUnavailable` when it is there already."""

    def create(client: QdrantClient) -> None:
        client.create_collection(collection, **design.collection(space.dimension), metadata={"space": asdict(space)})

    server.ask(create)


def remove_collection(server: Server, collection: str) -> None:
    """Delete the collection; nothing happens when there is none."""
    server.ask(lambda client: client.delete_collection(collection))


def index_payload(server: Server, collection: str) -> None:
    """Make the payload indexes that are missing."""
    present = server.ask(lambda client: client.get_collection(collection)).payload_schema
    for name, schema in payload_indexes().items():
        if name not in present:
            _index(server, collection, name, schema)


def _index(server: Server, collection: str, name: str, schema: PayloadIndex) -> None:
    server.ask(lambda client: client.create_payload_index(collection, name, schema, wait=True))
