"""The collection on a Qdrant server: made and described. Needs Qdrant 1.20 or later."""

import logging
from dataclasses import asdict

from qdrant_client import QdrantClient, models

from backend import errors
from backend.ports import Space
from backend.vectors.numbers import PREFIX as NUMBERS
from backend.vectors.server import Server
from backend.vectors.server_design import Design, PayloadIndex, payload_indexes

log = logging.getLogger(__name__)

FORMAT = 5
"""Which facts and ids its points have. 1 was that of versions before words could be searched, 2 before attributes'
numbers had an index in common, 3 before the id of a point told its product, 4 before points listed their shelves."""


def stored_space(server: Server, collection: str) -> Space | None:
    """The space in a collection's metadata; None when there is no such collection."""
    if not server.ask(lambda client: client.collection_exists(collection)):
        return None
    metadata = server.ask(lambda client: client.get_collection(collection)).config.metadata or {}
    try:
        space = Space(**metadata["space"])
    except (KeyError, TypeError) as err:
        raise errors.Misconfigured(f"The collection {collection} was not made by Shelfsight: name another.") from err
    if metadata.get("format") != FORMAT:
        raise errors.Misconfigured(
            f"The collection {collection} has format {metadata.get('format', 1)}; this version reads format {FORMAT}. "
            "Delete it: the next start makes every product due, and builds the index anew."
        )
    return space


def create_collection(server: Server, collection: str, space: Space, design: Design) -> None:
    """Make an empty collection. Raises `IndexUnavailable` when it is there already."""

    def create(client: QdrantClient) -> None:
        client.create_collection(
            collection,
            **design.collection(space.dimension),
            metadata={"space": asdict(space), "format": FORMAT, "layout": asdict(design)},
        )

    server.ask(create)


def warn_of_another_layout(server: Server, collection: str, wanted: Design) -> None:
    """Say in the log what the settings want otherwise than the collection was made: that changes nothing on it."""
    metadata = server.ask(lambda client: client.get_collection(collection)).config.metadata or {}
    made = metadata.get("layout", {})
    other = [f"{name} {made[name]}, not {it}" for name, it in asdict(wanted).items() if made.get(name, it) != it]
    if other:
        log.warning(
            "The collection %s keeps the layout it was made with: %s. The settings hold for the next one, "
            "which a reindex makes.",
            collection,
            "; ".join(other),
        )


def remove_collection(server: Server, collection: str) -> None:
    """Delete the collection; nothing happens when there is none."""
    server.ask(lambda client: client.delete_collection(collection))


def index_payload(server: Server, collection: str) -> None:
    """Make the payload indexes that are missing."""
    present = server.ask(lambda client: client.get_collection(collection)).payload_schema
    for name, schema in payload_indexes().items():
        if name not in present:
            _index(server, collection, name, schema)


def number_indexes(server: Server, collection: str) -> set[str]:
    """The attributes that have an index of their numbers."""
    present = server.ask(lambda client: client.get_collection(collection)).payload_schema
    return {name for name in present if name.startswith(NUMBERS)}


def index_number(server: Server, collection: str, field: str) -> None:
    """Have an index of an attribute's numbers made, without waiting for it."""
    # Without links in the graph, which is there already and would have to be built again.
    schema = models.FloatIndexParams(type=models.FloatIndexType.FLOAT, enable_hnsw=False)
    server.ask(lambda client: client.create_payload_index(collection, field, schema, wait=False))


def _index(server: Server, collection: str, name: str, schema: PayloadIndex) -> None:
    server.ask(lambda client: client.create_payload_index(collection, name, schema, wait=True))
