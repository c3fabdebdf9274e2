"""The server's store where the contract does not look. The client's in-process mode stands in for a server."""

import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from backend.errors import IndexUnavailable, Misconfigured, ModelMismatch, ShelfsightError
from backend.ports import Space
from backend.vectors.server_collection import connect, server_asked
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


def test_a_collection_is_made_with_its_payload_indexes(client: Recording) -> None:
    ServerStore.open_or_create(client, "products", SPACE)
    assert client.made[0] == "products"
    assert sorted(client.made[1:]) == [
        "added_at", "attribute_terms", "brand", "buried_at", "categories", "currency", "image", "in_stock", "lead",
        "merchant", "price", "product_id", "spelling", "version", "words",
    ]  # fmt: skip


def test_a_collection_says_which_space_it_is_for(client: Recording) -> None:
    assert ServerStore.stored_space(client, "products") is None
    ServerStore.open_or_create(client, "products", SPACE)
    assert ServerStore.stored_space(client, "products") == SPACE


def test_a_collection_is_opened_again_with_its_points(client: Recording) -> None:
    ServerStore.open_or_create(client, "products", SPACE).upsert([point(product(), toward(1.0))])
    again = ServerStore.open_or_create(client, "products", SPACE)
    assert (again.space, again.count()) == (SPACE, 1)
    assert client.made.count("products") == 1


def test_a_collection_of_another_encoder_is_refused(client: Recording) -> None:
    ServerStore.open_or_create(client, "products", SPACE)
    with pytest.raises(ModelMismatch, match="reindex"):
        ServerStore.open_or_create(client, "products", Space(SPACE.model, SPACE.dimension, "other weights"))


def test_a_collection_of_somebody_else_is_refused(client: Recording) -> None:
    vectors = models.VectorParams(size=4, distance=models.Distance.COSINE)
    client.create_collection("theirs", vectors_config=vectors)
    with pytest.raises(Misconfigured, match="theirs"):
        ServerStore.open_or_create(client, "theirs", SPACE)


def test_a_collection_that_is_not_there_cannot_be_opened(client: Recording) -> None:
    with pytest.raises(IndexUnavailable, match="no collection"):
        ServerStore.open(client, "absent")


def test_two_processes_that_start_together_share_the_collection(
    client: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    ServerStore.open_or_create(client, "products", SPACE)
    answers = iter([False])  # the other process makes the collection just after this one asked
    ask = client.collection_exists
    monkeypatch.setattr(client, "collection_exists", lambda name: next(answers, None) is not False and ask(name))
    assert ServerStore.open_or_create(client, "products", SPACE).count() == 0


def test_a_server_that_does_not_answer_is_unavailable() -> None:
    with socket.socket() as reserved:  # bound and not listening: connections are refused
        reserved.bind(("127.0.0.1", 0))
        client = connect(f"http://127.0.0.1:{reserved.getsockname()[1]}", timeout_seconds=1.0)
        with pytest.raises(IndexUnavailable, match="did not answer"):
            ServerStore.open_or_create(client, "products", SPACE)
        with pytest.raises(IndexUnavailable, match="did not answer"):
            ServerStore(client, "products", SPACE).count()
        client.close()


@pytest.mark.parametrize(
    ("status", "ours"),
    [(422, ShelfsightError), (413, ShelfsightError), (503, IndexUnavailable), (401, IndexUnavailable)],
)
def test_what_the_server_refuses_for_its_content_is_no_outage(status: int, ours: type[ShelfsightError]) -> None:
    with pytest.raises(ShelfsightError) as caught, server_asked():
        raise UnexpectedResponse(status, "reason", b"{}", httpx.Headers())
    assert type(caught.value) is ours
