"""A backup made while everything goes on, restored elsewhere: the same answers, and nothing accepted is lost."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from backend import moving
from backend.domain.backup import IndexCopy
from backend.domain.query import Query
from backend.errors import BackupUnusable, Misconfigured
from backend.keeping import finish_restore, refuse_unfinished, unfinished_marker
from backend.settings import Settings
from tests.factories import key
from tests.pictures import jpeg
from tests.shop import Shop, shop, stock
from tests.unit.vectors.folders import folder_in_memory, noting_flushes

pytestmark = pytest.mark.slow


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    with folder_in_memory(tmp_path) as folder:
        yield folder


@pytest.fixture
def here(root: Path) -> Settings:
    return Settings(data_dir=root / "here")


@pytest.fixture
def there(root: Path) -> Settings:
    return Settings(data_dir=root / "there")


@pytest.fixture
def backup(root: Path) -> Path:
    return root / "backup"


def silent(_: str) -> None:
    """Nobody listens."""


def back_up(it: Shop, folder: Path) -> Any:
    return moving.make_backup(it.settings, folder, it.copy_index, silent)


def test_a_restored_installation_has_the_same_counts_and_gives_the_same_answers(
    here: Settings, there: Settings, backup: Path
) -> None:
    with shop(here) as it:
        stock(it)
        counts, answers = it.counts(), it.answers()
        made = back_up(it, backup)
        assert made.counts["products"] == 14
        assert made.lost == ()
    restored = moving.restore_backup(there, backup, silent)
    assert restored.pictures == made.counts["pictures"]
    with shop(there) as again:
        again.work()  # what was written in the minute before is looked at again
        assert again.embedder.pictures_embedded == 0
        assert again.counts() == counts
        assert again.answers() == answers
        again.upload("p-8", 900)  # its version is the next one, so the index takes it
        again.work()
        assert again.answers() != answers


def test_nothing_is_lost_that_was_written_between_the_copies_of_index_and_catalog(
    here: Settings, there: Settings, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "_ONE_CLOCK", timedelta(0))
    with shop(here) as it:
        stock(it)

        def copy_and_go_on(folder: Path) -> IndexCopy:
            copy = it.copy_index(folder)
            it.upload("new", 700)
            it.upload("p-1", 701, title="Other pictures")
            it.services.delete_product(key("p-2"))
            it.services.patch_product(key("p-3"), {"price": "1"})
            it.work()
            it.upload("waits", 702)
            return copy

        moving.make_backup(here, backup, copy_and_go_on, silent)
        it.work()
        counts, answers = it.counts(), it.answers()
    assert moving.restore_backup(there, backup, silent).due == 4  # and `waits`, which is due anyway
    with shop(there) as again:
        again.work()
        assert again.counts() == counts
        assert again.answers() == answers
        assert [len(again.vectors.vectors_of(key(name))) for name in ("new", "p-1", "p-2", "waits")] == [1, 1, 0, 1]
        match = next(m for m in again.services.search_products(Query("shop", image=jpeg(64, 48, seed=3))).matches)
        assert (match.product_id, match.payload["price_exact"]) == ("p-3", "1")


def test_the_gap_is_closed_by_the_catalogs_note_of_when_the_index_was_told(
    here: Settings, there: Settings, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it the same backup loses what was written in between: so the test above tests something."""
    monkeypatch.setattr(moving, "_mark_due_since", lambda *_: 0)
    with shop(here) as it:
        stock(it)

        def copy_and_go_on(folder: Path) -> IndexCopy:
            copy = it.copy_index(folder)
            it.upload("new", 700)
            it.work()
            return copy

        moving.make_backup(here, backup, copy_and_go_on, silent)
    moving.restore_backup(there, backup, silent)
    with shop(there) as again:
        again.work()
        assert len(again.vectors.vectors_of(key("new"))) == 0


def test_a_backup_of_a_stopped_installation_needs_no_server(here: Settings, there: Settings, backup: Path) -> None:
    with shop(here) as it:
        stock(it)
        counts, answers = it.counts(), it.answers(10)
    moving.make_backup(here, backup, lambda folder: moving.copy_stopped_index(here, folder), silent)
    moving.restore_backup(there, backup, silent)
    with shop(there) as again:
        again.work()
        assert (again.counts(), again.answers(10)) == (counts, answers)


def test_the_next_backup_copies_new_pictures_only_and_forgets_those_nobody_has(
    here: Settings, there: Settings, backup: Path
) -> None:
    with shop(here) as it:
        stock(it)
        back_up(it, backup)
        before = {path.name: path.stat().st_ino for path in pictures_in(backup)}
        it.upload("more", 800)
        it.services.delete_product(key("p-1"))
        it.work()
        made = back_up(it, backup)
        after = {path.name: path.stat().st_ino for path in pictures_in(backup)}
        assert len(after.keys() - before.keys()) == 1
        assert len(before.keys() - after.keys()) == 2
        assert all(after[name] == before[name] for name in after.keys() & before.keys())
        assert len(after) == made.counts["pictures"]
    assert len(list(backup.glob("snapshot-*"))) == 1
    assert moving.restore_backup(there, backup, silent).pictures == len(after)


def pictures_in(backup: Path) -> list[Path]:
    return [path for path in (backup / "pictures").glob("??/*") if path.is_file()]


class Stop(BaseException):
    """Ends a backup where a kill would."""


@pytest.mark.parametrize("at", ["copying the index", "copying the catalog", "copying pictures", "writing everything"])
def test_a_backup_that_is_ended_leaves_the_former_one_whole(
    at: str, here: Settings, there: Settings, backup: Path
) -> None:
    def stop(what: str) -> None:
        if what.startswith(at):
            raise Stop

    with shop(here) as it:
        stock(it)
        counts = it.counts()
        back_up(it, backup)
        it.upload("later", 801)
        it.work()
        with pytest.raises(Stop):
            moving.make_backup(here, backup, it.copy_index, stop)
    moving.restore_backup(there, backup, silent)
    with shop(there) as again:
        again.work()
        assert again.counts() == counts


def test_a_first_backup_that_is_ended_is_no_backup(here: Settings, there: Settings, backup: Path) -> None:
    def stop(what: str) -> None:
        if what.startswith("writing"):
            raise Stop

    with shop(here) as it:
        stock(it)
        with pytest.raises(Stop):
            moving.make_backup(here, backup, it.copy_index, stop)
    with pytest.raises(BackupUnusable, match="not finished"):
        moving.restore_backup(there, backup, silent)
    assert not any(there.data_dir.glob("index*"))


def test_a_restore_that_is_ended_is_no_installation_and_can_be_done_again(
    here: Settings, there: Settings, backup: Path
) -> None:
    with shop(here) as it:
        stock(it)
        counts = it.counts()
        back_up(it, backup)
    for at in ("restoring the catalog", "restoring the index", "restoring pictures"):

        def stop(what: str, at: str = at) -> None:
            if what.startswith(at):
                raise Stop

        with pytest.raises(Stop):
            moving.restore_backup(there, backup, stop)
        with pytest.raises(Misconfigured, match="did not come to its end"):
            refuse_unfinished(there)
    moving.restore_backup(there, backup, silent)
    refuse_unfinished(there)
    with shop(there) as again:
        again.work()
        assert again.counts() == counts


def test_what_is_restored_is_on_the_disk_before_it_is_called_an_installation(
    here: Settings, there: Settings, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with shop(here) as it:
        stock(it)
        back_up(it, backup)
    missing: list[set[Path]] = []

    def finish(settings: Settings) -> None:
        index = there.data_dir / "index"
        missing.append({there.data_dir, index, *index.rglob("*")} - flushed)
        finish_restore(settings)

    monkeypatch.setattr(moving, "finish_restore", finish)
    with noting_flushes() as flushed:
        moving.restore_backup(there, backup, silent)
    assert missing == [set()]


def ended(there: Settings, backup: Path) -> None:
    """A restore that got as far as the index."""

    def stop(what: str) -> None:
        if what.startswith("restoring the index"):
            raise Stop

    with pytest.raises(Stop):
        moving.restore_backup(there, backup, stop)


def test_a_restore_is_done_again_where_it_was_begun_and_nowhere_else(
    here: Settings, there: Settings, backup: Path, root: Path
) -> None:
    """It replaces what it finds, so it must be what it left itself."""
    with shop(here) as it:
        stock(it)
        back_up(it, backup)
    ended(there, backup)
    stores = there.stores.model_copy(update={"catalog_url": f"sqlite:///{root / 'other.db'}"})
    with pytest.raises(Misconfigured, match="was begun and not finished"):
        moving.restore_backup(there.model_copy(update={"stores": stores}), backup, silent)
    assert not (root / "other.db").exists()
    moving.restore_backup(there, backup, silent)


def test_a_restore_is_done_again_of_the_generation_it_was_begun_with(
    here: Settings, there: Settings, backup: Path
) -> None:
    with shop(here) as it:
        stock(it)
        back_up(it, backup)
    ended(there, backup)
    description = backup / "backup.json"
    content = json.loads(description.read_text())
    content["index"]["number"] = 7
    description.write_text(json.dumps(content))
    with pytest.raises(Misconfigured, match="was begun and not finished"):
        moving.restore_backup(there, backup, silent)


def test_a_restore_nobody_knows_the_place_of_is_not_done_again(here: Settings, there: Settings, backup: Path) -> None:
    with shop(here) as it:
        stock(it)
        back_up(it, backup)
    there.data_dir.mkdir()
    unfinished_marker(there).touch()
    with pytest.raises(Misconfigured, match="was begun and not finished"):
        moving.restore_backup(there, backup, silent)


def test_a_directory_that_holds_something_is_left_alone(here: Settings, backup: Path) -> None:
    with shop(here) as it:
        stock(it)
        back_up(it, backup)
        before = it.counts()
        with pytest.raises(Misconfigured, match="holds catalog"):
            moving.restore_backup(here, backup, silent)
        refuse_unfinished(here)
        assert it.counts() == before


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("what", ["catalog.db", "index/index.json", "pictures.txt", "files.json"])
def test_a_damaged_backup_is_not_restored(what: str, here: Settings, there: Settings, backup: Path) -> None:
    with shop(here) as it:
        stock(it)
        back_up(it, backup)
    (snapshot,) = backup.glob("snapshot-*")
    damage(snapshot / what)
    with pytest.raises(BackupUnusable, match="changed or damaged"):
        moving.restore_backup(there, backup, silent)


def test_a_damaged_picture_is_named_and_all_others_can_be_had(here: Settings, there: Settings, backup: Path) -> None:
    with shop(here) as it:
        stock(it)
        back_up(it, backup)
    one, other = sorted(pictures_in(backup))[:2]
    damage(one)
    other.unlink()
    with pytest.raises(BackupUnusable, match="2 of 27 pictures"):
        moving.restore_backup(there, backup, silent)
    restored = moving.restore_backup(there, backup, silent, accept_damage=True)
    assert (restored.pictures, restored.damaged) == (25, 2)


def test_a_picture_that_was_lost_before_is_said_and_does_not_stop_the_backup(
    here: Settings, there: Settings, backup: Path
) -> None:
    with shop(here) as it:
        stock(it)
        lost = min(path for path in (here.data_dir / "pictures").glob("??/*") if path.is_file())
        lost.unlink()
        assert back_up(it, backup).lost == (lost.name,)
    assert moving.restore_backup(there, backup, silent).pictures == 26


def test_a_picture_that_is_purged_while_it_is_copied_is_no_loss(here: Settings, there: Settings, backup: Path) -> None:
    with shop(here) as it:
        stock(it)
        done: list[bool] = []

        def purge(what: str) -> None:
            if what.startswith("copying pictures") and not done:  # after the catalog was copied
                done.append(True)
                it.services.delete_product(key("p-14"))
                it.work()
                for path in (here.data_dir / "pictures").glob("??/*"):
                    if not it.truth.catalog.referenced([path.name]):
                        path.unlink()

        made = moving.make_backup(here, backup, it.copy_index, purge)
        assert made.lost == ()
    moving.restore_backup(there, backup, silent)
