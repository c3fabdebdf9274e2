"""The commands as a person runs them, against a real server."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import pictures
from tests.installation import Installation

pytestmark = pytest.mark.slow


def shelfsight(installation: Installation, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "backend.cli.main", *arguments],
        env={**installation.environment, "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("catalog")
    for number in range(5):
        (folder / f"{number}.jpg").write_bytes(pictures.jpeg(seed=number))
    rows = "".join(f"C{n},Thing {n},things,{n + 1}.00,{n}.jpg\n" for n in range(5))
    path = folder / "catalog.csv"
    path.write_text(
        "product_id,title,category,price,image\n" + rows + "C9,Gone,things,1,gone.jpg\nC 8,Bad,things,1,0.jpg\n"
    )
    return path


def test_ingest_lists_failed_rows_and_exits_with_1(running: Installation, catalog: Path) -> None:
    done = shelfsight(running, "ingest", str(catalog))
    assert done.returncode == 1, done.stderr
    assert "5 searchable, 2 failed" in done.stdout
    assert "picture_missing" in done.stdout
    assert "invalid_field" in done.stdout


def test_search_shows_a_table_and_writes_a_page_with_pictures(
    running: Installation, catalog: Path, tmp_path: Path
) -> None:
    shelfsight(running, "ingest", str(catalog))
    page = tmp_path / "results.html"
    done = shelfsight(
        running,
        "search",
        str(catalog.parent / "3.jpg"),
        "--category",
        "things",
        "--max-price",
        "4",
        "--html",
        str(page),
    )
    assert done.returncode == 0, done.stderr
    assert "C3" in done.stdout
    assert "C4" not in done.stdout
    html = page.read_text("utf-8")
    assert html.count("data:image/jpeg;base64,") == 5  # the query and four products
    assert "Thing 3" in html


def test_search_counts_sorts_and_says_what_it_took_a_slip_for(running: Installation, catalog: Path) -> None:
    shelfsight(running, "ingest", str(catalog))
    done = shelfsight(
        running,
        *("search", "thnig"),
        *("--sort", "price_desc", "--min-score", "auto", "--facet", "category", "--facet", "price"),
    )
    assert done.returncode == 0, done.stderr
    assert "thnig is in no product; searched for thing" in done.stdout
    assert "category: things" in done.stdout
    assert "price (EUR): " in done.stdout
    assert done.stdout.index("C4") < done.stdout.index("C3")


def test_status_shows_what_is_searchable_and_which_encoder(running: Installation) -> None:
    done = shelfsight(running, "status")
    assert done.returncode == 0
    assert "searchable" in done.stdout
    assert "the setting `model` names" in done.stdout


def test_doctor_finds_a_running_installation_well(running: Installation) -> None:
    done = shelfsight(running, "doctor")
    assert done.returncode == 0, done.stdout
    assert "catalog: ok, index: ok" in done.stdout


def test_doctor_says_what_to_do(running: Installation, tmp_path: Path) -> None:
    done = shelfsight(running, "doctor", SHELFSIGHT_DATA_DIR=str(tmp_path / "new"), SHELFSIGHT_SERVER__HOST="0.0.0.0")
    assert done.returncode == 1
    assert "platform key" in done.stdout


def test_a_refusal_is_one_line_and_a_way_to_mend_it(running: Installation) -> None:
    done = shelfsight(running, "search", "red", "--limit", "5", "--min-price", "9", "--max-price", "1")
    assert done.returncode == 2
    assert "invalid_filter" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_misspelt_setting_is_named(running: Installation) -> None:
    done = shelfsight(running, "status", SHELFSIGHT_PROT="1")
    assert done.returncode == 78
    assert "SHELFSIGHT_PROT" in done.stderr


def test_a_separate_worker_asks_for_servers(running: Installation) -> None:
    done = shelfsight(running, "worker")
    assert done.returncode == 78
    assert "SHELFSIGHT_STORES__QDRANT_URL" in done.stderr


def test_ingest_starts_a_server_for_the_moment_where_none_runs(installation: Installation, catalog: Path) -> None:
    done = shelfsight(installation, "ingest", str(catalog))
    assert done.returncode == 1, done.stderr
    assert "5 searchable" in done.stdout
    assert not (installation.data_dir / "server.json").exists()
    assert not [pid for pid in _pids(installation) if _alive(pid)]


def _pids(installation: Installation) -> list[int]:
    return [pid for pid in installation.pids().values() if pid]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
