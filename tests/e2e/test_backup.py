"""`shelfsight backup` beside a server that is written to, and killed; `shelfsight restore` into another directory."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.installation import Installation
from tests.pictures import jpeg

pytestmark = pytest.mark.slow

PRODUCTS, SEARCHES = 40, 100


def picture(seed: int) -> bytes:
    return jpeg(96, 72, seed=seed)


def command(installation: Installation, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "backend.cli.main", *arguments],
        env={**installation.environment, "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def done(installation: Installation, *arguments: str) -> str:
    process = command(installation, *arguments)
    told, _ = process.communicate(timeout=180)
    assert process.returncode == 0, told
    return told


def counts(installation: Installation) -> dict[str, object]:
    status = installation.get("/v1/status")
    return {"products": status["products"], "points": status["index"]["points"]}


def answers(installation: Installation) -> list[list[tuple[str, float]]]:
    return [
        [(match["product_id"], match["score"]) for match in installation.search(picture(5_000 + number), limit=20)]
        for number in range(SEARCHES)
    ]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, tiny_clip: Path) -> Iterator[Installation]:
    installation = Installation(tmp_path_factory.mktemp("shop") / "data", SHELFSIGHT_MODEL=str(tiny_clip))
    installation.start()
    for number in range(PRODUCTS):
        installation.put(f"p-{number}", picture(number), title=f"Thing {number}", category="things")
    installation.wait_until(installation.settled)
    yield installation
    installation.stop()


def restored(backup: Path, folder: Path, tiny_clip: Path) -> Installation:
    """Started, on what was in the backup, with nothing left to do."""
    other = Installation(folder / "data", SHELFSIGHT_MODEL=str(tiny_clip))
    told = done(other, "restore", str(backup))
    assert "compared with its checksum" in told
    other.start()
    other.wait_until(other.settled)
    return other


def test_a_backup_beside_a_running_server_gives_the_same_answers_elsewhere(
    shop: Installation, tmp_path: Path, tiny_clip: Path
) -> None:
    before, found = counts(shop), answers(shop)
    told = done(shop, "backup", str(tmp_path / "backup"))
    assert f"{PRODUCTS} products, {PRODUCTS} pictures" in told
    assert not list((shop.data_dir / "snapshots").iterdir())
    other = restored(tmp_path / "backup", tmp_path, tiny_clip)
    try:
        assert counts(other) == before
        assert answers(other) == found
    finally:
        other.stop()


def test_what_was_accepted_before_a_backup_that_ran_beside_writes_is_all_in_it(
    shop: Installation, tmp_path: Path, tiny_clip: Path
) -> None:
    stop, accepted = threading.Event(), list[str]()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            shop.put(f"w-{number}", picture(1_000 + number), title="Written meanwhile", category="things")
            accepted.append(f"w-{number}")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        shop.wait_until(lambda: len(accepted) > 5)
        promised = len(accepted)
        done(shop, "backup", str(tmp_path / "backup"))
    finally:
        stop.set()
        writer.join()
    assert len(accepted) > promised
    other = restored(tmp_path / "backup", tmp_path, tiny_clip)
    try:
        for name in accepted[:promised]:
            assert other.get(f"/v1/products/{name}")["state"] == "searchable"
        status = other.get("/v1/status")
        live = status["products"]["searchable"]
        assert live >= PRODUCTS + promised
        assert status["index"]["points"] == live
    finally:
        other.stop()


def test_a_backup_killed_at_random_moments_leaves_the_one_before(
    shop: Installation, tmp_path: Path, tiny_clip: Path
) -> None:
    backup = tmp_path / "backup"
    done(shop, "backup", str(backup))
    made = (backup / "backup.json").read_text()
    shop.put("later", picture(9_000), title="Later", category="things")
    shop.wait_until(shop.settled)
    begun = time.monotonic()
    done(shop, "backup", str(tmp_path / "other"))
    whole = time.monotonic() - begun
    for number in range(5):
        process = command(shop, "backup", str(backup))
        time.sleep(whole * (number + 1) / 6)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if (backup / "backup.json").read_text() != made:  # it was faster than the one that was timed
            assert len(list(backup.glob("snapshot-*"))) >= 1
            made = (backup / "backup.json").read_text()
    other = restored(backup, tmp_path, tiny_clip)
    other.stop()
    assert "pictures" in done(shop, "backup", str(backup))  # and the next one is made as ever
    assert len(list(backup.glob("snapshot-*"))) == 1


def test_a_directory_in_use_is_not_restored_into(shop: Installation, tmp_path: Path) -> None:
    done(shop, "backup", str(tmp_path / "backup"))
    process = command(shop, "restore", str(tmp_path / "backup"))
    told, _ = process.communicate(timeout=60)
    assert process.returncode == os.EX_CONFIG
    assert "data_directory_in_use" in told
