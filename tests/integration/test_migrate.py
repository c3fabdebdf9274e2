"""From one machine to servers without embedding anything again: PostgreSQL, S3, and Qdrant's client in its own process
in the place of a Qdrant server.
"""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend import keeping
from backend.domain.importing import ImportOptions
from backend.domain.work import Work
from backend.errors import BlobsUnavailable, Misconfigured
from backend.migrating import migrate, settings_there
from backend.settings import Settings, StoreSettings
from backend.usecases import move_installation
from tests.factories import key
from tests.s3_server import S3Server
from tests.shop import Shop, alike, on_servers, shop, stock
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


@pytest.fixture
def here(root: Path, s3: S3Server) -> Settings:
    return Settings(data_dir=root / "here", stores=StoreSettings(blobs_endpoint=s3.endpoint))


@pytest.fixture
def there(here: Settings, root: Path, s3: S3Server) -> Iterator[Settings]:
    with on_servers(here, root / "servers", s3) as settings:
        yield settings


def silent(_: str) -> None:
    """Nobody listens."""


def there_as_an_own_installation(there: Settings, root: Path) -> Settings:
    """On another machine: nothing may be read from the first one's directory any more."""
    return there.model_copy(update={"data_dir": root / "another-machine"})


def test_a_moved_installation_gives_the_same_answers_and_goes_on(here: Settings, there: Settings, root: Path) -> None:
    with shop(here) as it:
        stock(it)
        it.truth.jobs.open_import("shop", it.kept.files.keep(io.BytesIO(b"product_id\n")), ImportOptions())
        it.upload("waits", 77)
        counts, answers = it.counts(), it.answers()
    moved = migrate(here, there, silent)
    assert moved.compared is not None
    assert (moved.compared.same, moved.points, moved.lost) == (moved.compared.asked, counts["points"], 0)
    with shop(there_as_an_own_installation(there, root)) as other:
        assert other.counts() == counts
        assert alike(other.answers(), answers)
        assert other.embedder.pictures_embedded == len(answers)  # the searches' own
        (source,) = other.truth.jobs.unread_sources()
        assert other.kept.files.open(source).read() == b"product_id\n"
        other.upload("p-8", 900)
        other.services.delete_product(key("p-1"))
        assert other.work() >= 3
        assert len(other.vectors.vectors_of(key("p-1"))) == 0
    with shop(here) as it:  # what was moved stays as it was
        assert it.counts() == counts


def test_what_was_killed_here_is_looked_at_again_there(here: Settings, there: Settings, root: Path) -> None:
    it = Shop(here)
    stock(it)
    it.upload("claimed", 78)
    it.truth.ledger.claim(Work.UPLOADS, 10, 3_600)
    it.close()
    description = here.data_dir / "index" / "index.json"
    description.write_text(description.read_text().replace('"clean": true', '"clean": false'))
    migrate(here, there, silent)
    with shop(there_as_an_own_installation(there, root)) as other:
        assert other.work() >= 1
        assert other.services.read_product(key("claimed")).state.value == "searchable"


class Stop(BaseException):
    """Ends a move where a kill would."""


@pytest.mark.parametrize("at", ["moving pictures", "moving the catalog", "moving the index", "comparing answers"])
def test_a_move_that_was_ended_is_done_again_with_what_came_since(
    at: str, here: Settings, there: Settings, root: Path
) -> None:
    def stop(what: str) -> None:
        if what.startswith(at):
            raise Stop

    with shop(here) as it:
        stock(it)
    with pytest.raises(Stop):
        migrate(here, there, stop)
    with shop(here) as it:  # meanwhile it serves here
        it.services.delete_product(key("p-2"))
        it.upload("later", 901)
        it.work()
        counts, answers = it.counts(), it.answers(20)
    migrate(here, there, silent)
    assert not (here.data_dir / "moving.json").exists()
    with shop(there_as_an_own_installation(there, root)) as other:
        assert other.counts() == counts
        assert alike(other.answers(20), answers)


def test_only_what_is_named_moves(here: Settings, there: Settings) -> None:
    with shop(here) as it:
        stock(it)
        counts = it.counts()
    assert there.stores.blobs_url is not None
    pictures_only = settings_there(here, [there.stores.blobs_url])
    moved = migrate(here, pictures_only, silent)
    assert (moved.rows, moved.points, moved.compared) == (None, None, None)
    for path in (here.data_dir / "pictures").glob("??/*"):
        path.unlink()
    with shop(pictures_only) as it:
        assert it.counts() == counts
        it.truth.ledger.mark_all_due()
        assert it.work() == 14


def test_places_that_hold_something_are_left_alone(here: Settings, there: Settings, root: Path) -> None:
    with shop(here) as it:
        stock(it)
    with shop(there_as_an_own_installation(there, root)) as other:
        other.upload("theirs", 1)
        other.work()
        before = other.counts()
    with pytest.raises(Misconfigured, match="holds products"):
        migrate(here, there, silent)
    with shop(there_as_an_own_installation(there, root)) as other:
        assert other.counts() == before


def test_a_place_that_was_used_since_an_ended_move_is_left_alone(here: Settings, there: Settings, root: Path) -> None:
    def stop(what: str) -> None:
        if what.startswith("moving the index"):
            raise Stop

    with shop(here) as it:
        stock(it)
    with pytest.raises(Stop):
        migrate(here, there, stop)
    with shop(there_as_an_own_installation(there, root)) as other:
        other.upload("theirs", 1)
    with pytest.raises(Misconfigured, match="used since"):
        migrate(here, there, silent)


def test_another_move_is_not_begun_before_the_first_is_done(here: Settings, there: Settings) -> None:
    with shop(here) as it:
        stock(it)
    with pytest.raises(Stop):
        migrate(here, there, lambda _: (_ for _ in ()).throw(Stop))
    assert there.stores.blobs_url is not None
    with pytest.raises(Misconfigured, match="begun and not finished"):
        migrate(here, settings_there(here, [there.stores.blobs_url]), silent)


def test_an_index_that_answers_otherwise_is_not_taken(
    here: Settings, there: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with shop(here) as it:
        stock(it)
    monkeypatch.setattr(move_installation, "ENOUGH_OVERLAP", 1.01)
    with pytest.raises(Misconfigured, match="searches only"):
        migrate(here, there, silent)
    assert (here.data_dir / "moving.json").exists()


def test_a_store_that_is_down_ends_the_move_and_nothing_is_gone(here: Settings, there: Settings) -> None:
    with shop(here) as it:
        stock(it)
        counts = it.counts()
    down = there.model_copy(update={"stores": there.stores.model_copy(update={"blobs_endpoint": "http://127.0.0.1:1"})})
    with pytest.raises(BlobsUnavailable):
        migrate(here, down, silent)
    with shop(here) as it:
        assert it.counts() == counts


@pytest.mark.parametrize(
    ("urls", "said"),
    [
        ([], "nothing to move"),
        (["ftp://x"], "ftp:// is none of"),
        (["s3://a-bucket", "s3://another"], "two addresses"),
    ],
)
def test_addresses_say_what_they_are_for(urls: list[str], said: str, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=said):
        settings_there(Settings(data_dir=tmp_path), urls)


def test_an_installation_on_servers_and_an_empty_one_have_nothing_to_move(here: Settings, there: Settings) -> None:
    with pytest.raises(Misconfigured, match="embedded"):
        migrate(there, there, silent)
    with pytest.raises(Misconfigured, match="no index here yet"):
        migrate(here, there, silent)


def test_the_marker_of_a_move_names_no_password() -> None:
    stores = StoreSettings(catalog_url="postgresql://me:secret@db/shelf", qdrant_url="http://q", blobs_url="s3://b/x")
    assert "secret" not in str(keeping.addresses(Settings(stores=stores)))
