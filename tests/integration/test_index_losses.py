"""A start on an embedded index that does not hold what the catalog says: nothing is lost, nothing comes back."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backend import bootstrap
from backend.assembly import Parts, assemble
from backend.bootstrap import _Truth
from backend.domain.query import Query
from backend.domain.work import Work
from backend.imaging.limits import PictureLimits
from backend.imaging.reader import PillowReader
from backend.manifests.reader import FileReader
from backend.settings import Settings
from backend.usecases.keep_pictures import Upload
from backend.usecases.services import Services
from backend.vectors.edge_store import EdgeStore
from tests.factories import key, product
from tests.fakes.blob_store import FakeBlobs
from tests.fakes.doorbell import FakeDoorbell
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.import_files import FakeImportFiles
from tests.fakes.picture_fetcher import FakePictureFetcher
from tests.house import AtOnce
from tests.pictures import jpeg

PHOTO = jpeg(seed=1)


def now() -> datetime:
    return datetime.now(UTC)


class Machine:
    """A catalog and an index on one disk, and the use cases over them; the rest is fake."""

    def __init__(self, folder: Path) -> None:
        self.index = folder / "index"
        self._settings = Settings(data_dir=folder)
        self._truth: _Truth = bootstrap._truth(self._settings)
        self._embedder = FakeEmbedder()
        self._blobs = FakeBlobs()
        self.start()

    def start(self) -> None:
        """What every start does."""
        stored = bootstrap.stored_space(self._settings)
        vectors = bootstrap._vectors(self._settings, self._embedder.space, stored, self._truth.ledger)
        assert isinstance(vectors, EdgeStore)
        self.vectors = vectors
        truth = self._truth
        self.services: Services = assemble(
            self._settings,
            Parts(
                catalog=truth.catalog,
                ledger=truth.ledger,
                jobs=truth.jobs,
                receipts=truth.receipts,
                fetch_memory=truth.fetch_memory,
                blobs=self._blobs,
                files=FakeImportFiles(),
                manifests=FileReader(max_picture_bytes=1_000_000, default_currency="EUR"),
                reader=PillowReader(PictureLimits()),
                fetcher=FakePictureFetcher(),
                executor=AtOnce(),
                embedder=self._embedder,
                vectors=vectors,
                doorbell=FakeDoorbell(),
                clock=now,
                model_reason="a test chose the fake",
                close=vectors.close,
            ),
        )

    def upload(self, product_id: str, photo: bytes = PHOTO) -> None:
        """Accepted, indexed and settled."""
        self.services.upload_product(product(product_id), [Upload("a.jpg", lambda: photo)])
        assert self.services.reconcile_products(Work.UPLOADS) == 1

    def work(self) -> dict[str, int]:
        """How many products of each kind were due."""
        return {work.value: done for work in Work if work is not Work.FETCH and (done := self._done(work))}

    def _done(self, work: Work) -> int:
        return self.services.reconcile_products(work)

    def found(self) -> list[str]:
        """What a search for the photograph answers."""
        return sorted(match.product_id for match in self.services.search_products(Query("shop", image=PHOTO)).matches)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    it = Machine(tmp_path)
    yield it
    it.services.close()


def test_a_delete_that_waits_is_not_forgotten_when_the_index_lost_points(machine: Machine) -> None:
    machine.upload("kept")
    machine.upload("gone")
    machine.services.delete_product(key("gone"))
    machine.services.close()
    description = machine.index / "index.json"
    content = json.loads(description.read_text())
    description.write_text(json.dumps(content | {"points": content["points"] + 1}))  # as a lost segment leaves it
    machine.start()
    assert machine.found() == ["kept"]
    assert machine.work() == {"facts": 1, "imports": 1}
    assert machine.found() == ["kept"]
    assert machine.vectors.count() == 1
