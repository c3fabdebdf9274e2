"""The collection on a Qdrant server: how it is reached, made and described. Needs Qdrant 1.20 or later."""

import contextlib
import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import TypeAlias

from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ApiException, UnexpectedResponse

from backend import errors
from backend.ports import Space
from backend.vectors.payload import FLOAT_FIELDS, INTEGER_FIELDS, KEYWORD_FIELDS, TEXT_FIELDS, VECTOR_NAME

_REFUSED = {400, 413, 422}
"""Malformed, too large, not understood. 401, 403 and 404 are an operator's to mend, and then all goes on."""


def connect(url: str, *, api_key: str | None = None, timeout_seconds: float = 10.0) -> QdrantClient:
    """A client of the server at `url`; the connection is made by the first call. `timeout_seconds` bounds each call.

    The client's own check of versions is left out: it would connect here, and warn instead of raising.
    """
    return QdrantClient(url=url, api_key=api_key, timeout=math.ceil(timeout_seconds), check_compatibility=False)


@contextlib.contextmanager
def server_asked() -> Iterator[None]:
    """Turn what goes wrong between here and the server into `IndexUnavailable`.

    What the server refuses for its content is no outage: asking again would not help, and who waits behind it must not.
    """
    try:
        yield
    except UnexpectedResponse as err:
        if err.status_code in _REFUSED:
            raise errors.ShelfsightError(f"The Qdrant server refused a request: {err}") from err
        raise errors.IndexUnavailable(f"The Qdrant server did not do what was asked: {err}") from err
    except (ApiException, QdrantException, OSError, RuntimeError, ValueError) as err:
        # ValueError: the client's in-process mode answers so where a server answers 4xx.
        raise errors.IndexUnavailable(f"The Qdrant server refused or did not answer: {err}") from err


def stored_space(client: QdrantClient, collection: str) -> Space | None:
    """The space in a collection's metadata; None when there is no such collection."""
    with server_asked():
        if not client.collection_exists(collection):
            return None
        metadata = client.get_collection(collection).config.metadata or {}
    try:
        return Space(**metadata["space"])
    except (KeyError, TypeError) as err:
        raise errors.Misconfigured(f"The collection {collection} was not made by Shelfsight: name another.") from err


def create_collection(client: QdrantClient, collection: str, space: Space) -> None:
    """Make an empty collection."""
    with server_asked():
        client.create_collection(
            collection,
            vectors_config={VECTOR_NAME: models.VectorParams(size=space.dimension, distance=models.Distance.COSINE)},
            # Every search names a merchant, so there is one graph a merchant and none over all of them
            # (https://qdrant.tech/documentation/guides/multitenancy/).
            hnsw_config=models.HnswConfigDiff(m=0, payload_m=16),
            metadata={"space": asdict(space)},
        )


def index_payload(client: QdrantClient, collection: str) -> None:
    """Make the payload indexes that are missing: before any point, or the graphs would have to be built again."""
    with server_asked():
        present = client.get_collection(collection).payload_schema
        for name, schema in _payload_indexes().items():
            if name not in present:
                client.create_payload_index(collection, name, schema, wait=True)


PayloadIndex: TypeAlias = models.PayloadSchemaType | models.KeywordIndexParams | models.TextIndexParams


def _payload_indexes() -> dict[str, PayloadIndex]:
    # The engine's own tokens: our texts are words in one form already, apart by spaces. `scoring` is what BM25 reads.
    scored = models.TextIndexParams(
        type=models.TextIndexType.TEXT, scoring=models.TextScoringParams(type=models.TextScoringType.BM25)
    )
    indexes: dict[str, PayloadIndex] = {
        **dict.fromkeys(KEYWORD_FIELDS, models.PayloadSchemaType.KEYWORD),
        **dict.fromkeys(INTEGER_FIELDS, models.PayloadSchemaType.INTEGER),
        **dict.fromkeys(FLOAT_FIELDS, models.PayloadSchemaType.FLOAT),
        **dict.fromkeys(TEXT_FIELDS, scored),
    }
    # A merchant's points are kept side by side on the disk, and have their own graph.
    indexes["merchant"] = models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True)
    return indexes
