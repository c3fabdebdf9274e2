"""`shelfsight migrate` as a person runs it: pictures to S3 and, where one is named, the catalog to PostgreSQL."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.contracts.catalog_backends import POSTGRES_URL, database
from tests.installation import Installation
from tests.pictures import jpeg
from tests.s3_server import S3Server

pytestmark = pytest.mark.slow


@pytest.fixture
def addresses(tmp_path: Path, s3: S3Server) -> Iterator[dict[str, str]]:
    """Setting -> new address."""
    with ExitStack() as ends:
        found = {"SHELFSIGHT_STORES__BLOBS_URL": s3.url()}
        if POSTGRES_URL:
            found["SHELFSIGHT_STORES__CATALOG_URL"] = ends.enter_context(database("postgresql", tmp_path))
        yield found


def migrate(installation: Installation, *addresses: str) -> "subprocess.CompletedProcess[str]":
    options = [part for address in addresses for part in ("--to", address)]
    return subprocess.run(
        [sys.executable, "-m", "backend.cli.main", "migrate", *options],
        env={**installation.environment, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def test_what_was_moved_is_served_from_there(
    tmp_path: Path, tiny_clip: Path, s3: S3Server, addresses: dict[str, str]
) -> None:
    settings = {"SHELFSIGHT_MODEL": str(tiny_clip), "SHELFSIGHT_STORES__BLOBS_ENDPOINT": s3.endpoint}
    here = Installation(tmp_path / "data", **settings)
    here.start()
    for number in range(6):
        here.put(f"p-{number}", jpeg(96, 72, seed=number), title=f"Thing {number}", category="things")
    here.wait_until(here.settled)
    found = here.search(jpeg(96, 72, seed=3))
    refused = migrate(here, *addresses.values())
    assert (refused.returncode, "data_directory_in_use" in refused.stderr) == (78, True)
    here.stop()
    moved = migrate(here, *addresses.values())
    assert moved.returncode == 0, moved.stderr
    assert "6 are in s3://" in moved.stdout
    for path in (tmp_path / "data" / "pictures").glob("??/??/*"):
        path.unlink()
    there = Installation(tmp_path / "data", **settings, **addresses)
    there.start()
    try:
        assert there.search(jpeg(96, 72, seed=3)) == found
        image = found[0]["matched_image"]["id"]
        assert there.http.get(f"{there.url}/v1/images/{image}").is_success
        there.put("new", jpeg(96, 72, seed=99), title="New", category="things")
        there.wait_until(there.settled)
        assert there.search(jpeg(96, 72, seed=99))[0]["product_id"] == "new"
    finally:
        there.stop()


def test_an_address_that_says_nothing_is_refused(tmp_path: Path, tiny_clip: Path) -> None:
    refused = migrate(Installation(tmp_path / "data", SHELFSIGHT_MODEL=str(tiny_clip)), "ftp://somewhere")
    assert refused.returncode == 78
    assert "ftp:// is none of" in refused.stderr
