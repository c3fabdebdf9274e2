"""A backup of an installation on servers is made of its points, and restored on servers or on one machine."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from backend import moving
from backend.domain.backup import IndexKind
from backend.errors import Misconfigured
from backend.keeping import open_kept
from backend.settings import Settings
from backend.usecases.back_up import EVER
from tests.s3_server import S3Server
from tests.shop import alike, on_servers, shop, stock
from tests.unit.vectors.folders import folder_in_memory

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant:UserWarning"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact:UserWarning"),
]


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    with folder_in_memory(tmp_path) as folder:
        yield folder


def silent(_: str) -> None:
    """Nobody listens."""


def back_up(settings: Settings, folder: Path) -> IndexKind:
    return moving.make_backup(settings, folder, partial(moving.copy_stopped_index, settings), silent).index.kind


def test_servers_are_restored_on_other_servers_and_on_one_machine(root: Path, s3: S3Server) -> None:
    with on_servers(Settings(data_dir=root / "first"), root / "servers", s3) as here:
        with shop(here) as it:
            stock(it)
            counts, answers = it.counts(), it.answers()
        assert back_up(here, root / "backup") is IndexKind.POINTS
    with on_servers(Settings(data_dir=root / "second"), root / "other-servers", s3) as there:
        restored = moving.restore_backup(there, root / "backup", silent)
        assert restored.pictures == 27
        with shop(there) as other:
            other.work()
            assert other.embedder.pictures_embedded == 0
            assert other.counts() == counts
            assert alike(other.answers(), answers)
        with pytest.raises(Misconfigured, match="holds products"):
            moving.restore_backup(there.model_copy(update={"data_dir": root / "third"}), root / "backup", silent)
    alone = Settings(data_dir=root / "machine")
    moving.restore_backup(alone, root / "backup", silent)
    with shop(alone) as machine:
        machine.work()
        assert machine.embedder.pictures_embedded == 0
        assert machine.counts() == counts
        assert alike(machine.answers(), answers)


def test_a_collection_that_is_there_is_left_alone(root: Path, s3: S3Server) -> None:
    with on_servers(Settings(data_dir=root / "first"), root / "servers", s3) as here:
        with shop(here) as it:
            stock(it)
        back_up(here, root / "backup")
        stores = here.stores.model_copy(update={"catalog_url": f"sqlite:///{root / 'new.db'}"})
        other = here.model_copy(update={"data_dir": root / "second", "stores": stores})
        with pytest.raises(Misconfigured, match="has a collection shelfsight already"):
            moving.restore_backup(other, root / "backup", silent)


def test_an_embedded_backup_is_not_restored_on_servers(root: Path, s3: S3Server) -> None:
    here = Settings(data_dir=root / "here")
    with shop(here) as it:
        stock(it)
        moving.make_backup(here, root / "backup", it.copy_index, silent)
    with on_servers(Settings(data_dir=root / "there"), root / "servers", s3) as there:
        with pytest.raises(Misconfigured, match="shelfsight migrate"):
            moving.restore_backup(there, root / "backup", silent)
        kept = open_kept(there)
        assert list(kept.blobs.unused_since(EVER)) == []
        kept.close()
