"""`shelfsight index check` asks the server, which alone may open the index."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result
from werkzeug.serving import make_server

from backend.api.app import create_app
from backend.cli.main import app
from tests.house import House
from tests.unit.usecases.test_checking_the_index import Forgetful, stocked


@pytest.fixture
def house() -> House:
    return stocked(House())


@pytest.fixture
def url(house: House) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, create_app(house.services, house.settings, key=None), threaded=True)
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    serving.join()
    server.server_close()


def check(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "120"}).invoke(app, ["index", "check", *arguments])


def test_recall_is_shown_filter_by_filter(url: str) -> None:
    done = check("--url", url, "--merchant", "shop", "--products", "4")
    assert done.exit_code == 0, done.output
    for name in ("none", "in stock", "category", "category and price", "brand"):
        assert name in done.output
    assert "1.000" in done.output


def test_the_status_shows_what_the_last_check_found(url: str) -> None:
    runner = CliRunner(env={"COLUMNS": "120"})
    before = runner.invoke(app, ["status", "--url", url, "--merchant", "shop"])
    check("--url", url, "--merchant", "shop")
    after = runner.invoke(app, ["status", "--url", url, "--merchant", "shop"])
    assert "are found" not in before.output
    assert "100.0% are found" in after.output


def test_an_index_that_misses_too_much_is_an_exit_status_for_scripts(house: House, url: str) -> None:
    forgetful = Forgetful(house.embedder.space, lambda: 0.0)
    forgetful.upsert(house.vectors.sample(100))
    house.services.check_index.vectors = forgetful
    assert check("--url", url, "--merchant", "shop").exit_code == 1
    assert check("--url", url, "--merchant", "shop", "--least", "0.1").exit_code == 0


def test_a_merchant_without_pictures_is_told_so(url: str) -> None:
    done = check("--url", url, "--merchant", "nobody")
    assert (done.exit_code, "nothing was compared" in done.output) == (0, True)


def test_without_a_server_it_says_how_to_start_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELFSIGHT_DATA_DIR", str(tmp_path))
    done = check()
    assert done.exit_code != 0
    assert "shelfsight serve" in done.output
