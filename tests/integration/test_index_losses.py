"""A start on an embedded index that does not hold what the catalog says: nothing is lost, nothing comes back."""

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backend import opening
from backend.assembly import assemble
from backend.domain.query import Query
from backend.domain.work import Work
from backend.imaging.limits import PictureLimits
from backend.imaging.reader import PillowReader
from backend.manifests.reader import FileReader
from backend.settings import Settings
from backend.usecases.keep_pictures import Upload
from backend.usecases.parts import Parts
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

PHOTO, OTHER_PHOTO = jpeg(seed=1), jpeg(seed=2)


def now() -> datetime:
    return datetime.now(UTC)


class Machine:
    """A catalog and an index on one disk, and the use cases over them; the rest is fake."""

    def __init__(self, folder: Path) -> None:
        self.index = folder / "index"
        self._settings = Settings(data_dir=folder)
        self._truth = opening.open_catalog(self._settings)
        self.embedder = FakeEmbedder()
        self._blobs = FakeBlobs()
        self.start()

    def start(self) -> None:
        """What every start does."""
        places = opening.places_of(self._settings)
        new = places.stored_space(1) is None
        vectors = opening.open_made_up(places, 1, self.embedder.space, self._truth, new=new).vectors
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
                indexes=truth.indexes,
                fetch_memory=truth.fetch_memory,
                blobs=self._blobs,
                files=FakeImportFiles(),
                manifests=FileReader(max_picture_bytes=1_000_000, default_currency="EUR"),
                reader=PillowReader(PictureLimits()),
                fetcher=FakePictureFetcher(),
                executor=AtOnce(),
                embedder=self.embedder,
                vectors=vectors,
                doorbell=FakeDoorbell(),
                clock=now,
                model_reason="a test chose the fake",
                memory=lambda: None,
                close=lambda: None,
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

    def flushed(self) -> Path:
        """A copy of what is on the disk for certain."""
        self.vectors.flush()
        return shutil.copytree(self.index, self.index.with_name("on-disk"))

    def lose_power(self, on_disk: Path) -> None:
        """The index is what it was at its last flush; the catalog holds whatever was committed."""
        self.services.close()
        shutil.rmtree(self.index)
        on_disk.rename(self.index)

    def found(self, photo: bytes = PHOTO) -> list[str]:
        """What a search for a photograph answers, the best first, equal ones by name."""
        matches = self.services.search_products(Query("shop", image=photo)).matches
        return [match.product_id for match in sorted(matches, key=lambda match: (-match.score, match.product_id))]

    def state(self, product_id: str) -> str:
        """What a product's row says."""
        return self.services.read_product(key(product_id)).state.value


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


def test_what_was_written_after_the_last_flush_is_made_good_after_a_loss_of_power(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "_CLOCK_MARGIN", timedelta(0))
    machine.upload("long-ago")
    machine.upload("gone")
    machine.upload("replaced", PHOTO)
    on_disk = machine.flushed()
    machine.upload("new")
    machine.upload("replaced", OTHER_PHOTO)
    machine.services.delete_product(key("gone"))
    machine.work()
    machine.lose_power(on_disk)
    machine.start()
    assert machine.state("long-ago") == "searchable"
    assert machine.state("new") == "pending"  # says so, as nobody can be sure
    assert "gone" not in machine.found()
    assert machine.work() == {"facts": 1, "uploads": 2}
    assert machine.found() == ["long-ago", "new", "replaced"]
    assert [len(machine.vectors.vectors_of(key(name))) for name in ("new", "replaced", "gone")] == [1, 1, 0]
    assert machine.found(OTHER_PHOTO)[:1] == ["replaced"]
    assert machine.state("new") == "searchable"


def test_after_a_kill_the_last_products_are_looked_at_and_found_all_the_while(machine: Machine) -> None:
    machine.flushed()
    machine.upload("p-1")
    machine.upload("p-2")
    killed = shutil.copytree(machine.index, machine.index.with_name("killed"))
    machine.lose_power(killed)  # but for the power: what was written is there
    embedded = machine.embedder.pictures_embedded
    machine.start()
    assert machine.found() == ["p-1", "p-2"]
    assert machine.work() == {"uploads": 2}
    assert machine.embedder.pictures_embedded == embedded + 1  # the search's own
    assert machine.found() == ["p-1", "p-2"]


def test_after_an_end_in_order_nothing_is_looked_at_again(machine: Machine) -> None:
    machine.upload("p-1")
    machine.services.close()
    machine.start()
    assert machine.work() == {}


def test_what_was_made_good_is_not_looked_at_again_at_the_next_start(machine: Machine) -> None:
    machine.upload("p-1")
    machine.lose_power(shutil.copytree(machine.index, machine.index.with_name("killed")))
    machine.start()
    assert machine.work() == {"uploads": 1}
    machine.services.close()
    machine.start()
    assert machine.work() == {}
