"""An installation without a server process: real stores where its settings say, a fake encoder, the use cases."""

import shutil
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from qdrant_client import QdrantClient

from backend import opening
from backend.assembly import assemble
from backend.domain.backup import IndexCopy
from backend.domain.query import Query
from backend.domain.work import Work
from backend.imaging.limits import PictureLimits
from backend.imaging.reader import PillowReader
from backend.keeping import open_kept
from backend.manifests.reader import FileReader
from backend.settings import Settings
from backend.usecases.keep_pictures import Upload
from backend.usecases.parts import Parts
from backend.vectors import server
from backend.vectors.snapshots import described
from tests.contracts.catalog_backends import POSTGRES_URL, database
from tests.factories import key, product
from tests.fakes.doorbell import FakeDoorbell
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.picture_fetcher import FakePictureFetcher
from tests.house import AtOnce
from tests.pictures import jpeg
from tests.s3_server import S3Server

Answers: TypeAlias = list[list[tuple[str, str, float]]]
"""Search by search, the products found in order: id, picture, score."""

CATALOG = "postgresql" if POSTGRES_URL else "sqlite"
"""Where no PostgreSQL is named, another SQLite file: rows go the same way."""


class Shop:
    """An installation on a disk without a server: real stores, a fake encoder, and the use cases over them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        truth = self.truth = opening.open_catalog(settings)
        self.embedder = FakeEmbedder()
        places = opening.places_of(settings)
        new = places.stored_space(1) is None
        self.vectors = opening.open_made_up(places, 1, self.embedder.space, truth, new=new).vectors
        self.kept = open_kept(settings)
        self.services = assemble(
            settings,
            Parts(
                catalog=truth.catalog,
                ledger=truth.ledger,
                jobs=truth.jobs,
                receipts=truth.receipts,
                indexes=truth.indexes,
                fetch_memory=truth.fetch_memory,
                blobs=self.kept.blobs,
                files=self.kept.files,
                manifests=FileReader(max_picture_bytes=1_000_000, default_currency="EUR"),
                reader=PillowReader(PictureLimits()),
                fetcher=FakePictureFetcher(),
                executor=AtOnce(),
                embedder=self.embedder,
                vectors=self.vectors,
                doorbell=FakeDoorbell(),
                clock=opening.now,
                model_reason="a test chose the fake",
                memory=lambda: None,
                close=self.kept.close,
            ),
        )

    def upload(self, product_id: str, *seeds: int, **facts: Any) -> None:
        """Accepted; its pictures are drawn of the seeds."""
        uploads = [Upload(f"{seed}.jpg", partial(jpeg, 64, 48, seed)) for seed in seeds]
        self.services.upload_product(product(product_id, **facts), uploads)

    def work(self) -> int:
        """Until nothing is due; how many products were settled."""
        settled = 0
        while count := sum(self.services.reconcile_products(work) for work in Work if work is not Work.FETCH):
            settled += count
        return settled

    def answers(self, number: int = 100) -> Answers:
        """What searches by as many photographs find."""
        return [
            [
                (match.product_id, match.content_hash, match.score)
                for match in self.services.search_products(
                    Query("shop", image=jpeg(64, 48, seed=seed), limit=20)
                ).matches
            ]
            for seed in range(1000, 1000 + number)
        ]

    def counts(self) -> dict[str, int]:
        return dict(self.truth.catalog.count()) | {"points": self.vectors.count(), "due": self.truth.ledger.due()}

    def close(self) -> None:
        """In order."""
        self.services.close()
        self.truth.close()

    def copy_index(self, folder: Path) -> IndexCopy:
        """As a running server does it for the command."""
        shutil.rmtree(folder, ignore_errors=True)
        self.vectors.snapshot(folder)
        return described(folder)


@contextmanager
def shop(settings: Settings) -> Iterator[Shop]:
    it = Shop(settings)
    yield it
    it.close()


def stock(it: Shop) -> None:
    for number in range(15):
        it.upload(f"p-{number}", number, number + 500, brand=f"b-{number % 3}")
    it.services.delete_product(key("p-7"))
    it.upload("p-8", 8)
    it.work()


def alike(some: Answers, others: Answers) -> bool:
    """The same products by the same pictures in the same order; two engines may round a score differently."""
    return len(some) == len(others) and all(
        (product_id, content_hash) == (its_id, its_hash) and abs(score - its_score) < 1e-5
        for found, its_found in zip(some, others, strict=True)
        for (product_id, content_hash, score), (its_id, its_hash, its_score) in zip(found, its_found, strict=True)
    )


@contextmanager
def on_servers(settings: Settings, folder: Path, s3: S3Server) -> Iterator[Settings]:
    """The same settings with everything elsewhere, and new: PostgreSQL, S3, and Qdrant's client in its own process,
    which keeps a folder, in the place of a Qdrant server. One such client at a time may have the folder open.
    """
    folder.mkdir()
    with ExitStack() as ends:
        ends.enter_context(warnings.catch_warnings())
        patch = ends.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(server, "connect", lambda *_, **__: QdrantClient(path=str(folder / "qdrant")))
        catalog = ends.enter_context(database(CATALOG, folder))
        moved = {"catalog_url": catalog, "qdrant_url": "http://qdrant.invalid:6333", "blobs_url": s3.url()}
        stores = settings.stores.model_copy(update=moved | {"blobs_endpoint": s3.endpoint})
        yield settings.model_copy(update={"stores": stores})
