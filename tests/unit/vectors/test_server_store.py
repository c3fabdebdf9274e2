"""The server's store where the contract does not look. The client's in-process mode stands in for a server."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest
from qdrant_client import QdrantClient, models

from backend.errors import IndexUnavailable, Misconfigured, ModelMismatch
from backend.ports import Space
from backend.vectors.server import Server
from backend.vectors.server_collection import FORMAT
from backend.vectors.server_design import Design
from backend.vectors.server_store import ServerStore
from tests.factories import product
from tests.unit.vectors.points import SPACE, point, toward

pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant:UserWarning")


class Recording(QdrantClient):
    """Remembers in which order it was asked to make things."""

    def __init__(self) -> None:
        super().__init__(":memory:")
        self.made: list[str] = []

    def create_collection(self, collection_name: str, *args: Any, **kwargs: Any) -> bool:
        self.made.append(collection_name)
        return super().create_collection(collection_name, *args, **kwargs)

    def create_payload_index(
        self, collection_name: str, field_name: str, *args: Any, **kwargs: Any
    ) -> models.UpdateResult:
        self.made.append(field_name)
        return super().create_payload_index(collection_name, field_name, *args, **kwargs)


@pytest.fixture
def client() -> Iterator[Recording]:
    made = Recording()
    yield made
    made.close()


@pytest.fixture
def server(client: Recording) -> Server:
    return Server(client)


def test_a_collection_is_made_with_its_payload_indexes(client: Recording, server: Server) -> None:
    ServerStore.open_or_create(server, "products", SPACE)
    assert client.made[0] == "products"
    assert sorted(client.made[1:]) == [
        "added_at", "attribute_numbers", "attribute_terms", "brand", "buried_at", "categories", "currency", "image",
        "in_stock", "lead", "merchant", "price", "product_id", "shelves", "spelling", "version", "words",
    ]  # fmt: skip


def test_a_collection_says_which_space_it_is_for(server: Server) -> None:
    assert ServerStore.stored_space(server, "products") is None
    ServerStore.open_or_create(server, "products", SPACE)
    assert ServerStore.stored_space(server, "products") == SPACE


def test_a_collection_is_opened_again_with_its_points(client: Recording, server: Server) -> None:
    ServerStore.open_or_create(server, "products", SPACE).upsert([point(product(), toward(1.0))])
    again = ServerStore.open_or_create(server, "products", SPACE)
    assert (again.space, again.count()) == (SPACE, 1)
    assert client.made.count("products") == 1


def test_a_layout_that_is_wanted_now_and_that_the_collection_has_not_is_said(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    ServerStore.open_or_create(server, "products", SPACE, Design(codes="int8"))
    ServerStore.open_or_create(server, "products", SPACE, Design(codes="int8"))
    assert not caplog.records
    ServerStore.open_or_create(server, "products", SPACE, Design(codes="turbo4", replicas=2))
    (said,) = [record.getMessage() for record in caplog.records]
    assert "products keeps the layout it was made with: replicas 1, not 2; codes int8, not turbo4" in said


def test_a_collection_that_does_not_say_its_layout_is_opened_without_a_word(
    client: Recording, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    known = {"space": asdict(SPACE), "format": FORMAT}
    client.create_collection("products", **Design().collection(SPACE.dimension), metadata=known)
    ServerStore.open_or_create(server, "products", SPACE, Design(replicas=2))
    assert not caplog.records


def test_a_collection_of_another_encoder_is_refused(server: Server) -> None:
    ServerStore.open_or_create(server, "products", SPACE)
    with pytest.raises(ModelMismatch, match="reindex"):
        ServerStore.open_or_create(server, "products", Space(SPACE.model, SPACE.dimension, "other weights"))


def test_a_collection_of_somebody_else_is_refused(client: Recording, server: Server) -> None:
    vectors = models.VectorParams(size=4, distance=models.Distance.COSINE)
    client.create_collection("theirs", vectors_config=vectors)
    with pytest.raises(Misconfigured, match="theirs"):
        ServerStore.open_or_create(server, "theirs", SPACE)


def test_a_collection_that_is_not_there_cannot_be_opened(server: Server) -> None:
    with pytest.raises(IndexUnavailable, match="no collection"):
        ServerStore.open(server, "absent")


def test_two_processes_that_start_together_share_the_collection(
    client: Recording, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    ServerStore.open_or_create(server, "products", SPACE)
    answers = iter([False])  # the other process makes the collection just after this one asked
    ask = client.collection_exists
    monkeypatch.setattr(client, "collection_exists", lambda name: next(answers, None) is not False and ask(name))
    assert ServerStore.open_or_create(server, "products", SPACE).count() == 0
