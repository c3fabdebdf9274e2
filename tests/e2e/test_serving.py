"""The whole way over a socket: `shelfsight serve` with its broker, worker, encoder and index."""

import io
import os
import shutil
import signal
import subprocess
import sys
import zipfile

import pytest

from tests import pictures
from tests.installation import Installation

pytestmark = pytest.mark.slow


def catalog(count: int, prefix: str = "P") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        rows = [f"{prefix}{n:04d},Product {n},{n}.50,{n}.jpg" for n in range(count)]
        archive.writestr("products.csv", "product_id,title,price,image\n" + "\n".join(rows))
        for n in range(count):
            archive.writestr(f"{n}.jpg", pictures.encode(pictures.photo(64, 64, seed=n), "JPEG"))
    return buffer.getvalue()


def test_an_upload_becomes_searchable_by_its_picture(running: Installation) -> None:
    photo = pictures.jpeg(seed=11)
    accepted = running.put("way-1", photo, title="The whole way", price="9.90", category="test/way")
    running.wait_until(lambda: running.get("/v1/products/way-1")["state"] == "searchable")
    [match] = running.search(photo, limit=1, filter={"category": "test"})
    assert (match["product_id"], match["product"]["price"]) == ("way-1", "9.90")
    assert match["score"] == pytest.approx(1, abs=1e-3)
    assert running.get(f"/v1/jobs/{accepted['job_id']}")["done"]


def test_a_price_change_is_searchable_soon_and_a_deleted_product_is_gone_at_once(running: Installation) -> None:
    photo = pictures.jpeg(seed=12)
    running.put("way-2", photo, price=50)
    running.wait_until(lambda: running.get("/v1/products/way-2")["state"] == "searchable")
    running.http.patch(f"{running.url}/v1/products/way-2", json={"price": 5}).raise_for_status()
    running.wait_until(lambda: bool(running.search(photo, filter={"price": {"lte": 5}, "product_id": "way-2"})))
    running.http.delete(f"{running.url}/v1/products/way-2").raise_for_status()
    assert running.search(photo, filter={"product_id": "way-2"}) == []


def test_killing_the_server_while_500_products_are_pending_loses_and_doubles_nothing(
    installation: Installation,
) -> None:
    # one thread and one product at a time: the small model would have done all 500 before anybody could look
    installation.environment |= {"SHELFSIGHT_WORKER__THREADS": "1", "SHELFSIGHT_WORKER__BATCH": "1"}
    installation.start()
    job = installation.import_zip(catalog(500))
    installation.wait_until(lambda: installation.get("/v1/status")["products"]["pending"] > 300)
    installation.kill("server")
    installation.wait_until(installation.answers, 60)
    installation.wait_until(lambda: installation.get(f"/v1/jobs/{job}")["done"], 120)
    assert installation.get(f"/v1/jobs/{job}")["counts"]["searchable"] == 500
    status = installation.get("/v1/status")
    assert (status["products"]["searchable"], status["index"]["points"]) == (500, 500)
    found = [
        match["product_id"]
        for offset in range(0, 500, 100)
        for match in installation.search(text="red", limit=100, offset=offset)
    ]
    assert len(found) == len(set(found)) == 500


def test_killing_the_broker_or_everything_loses_nothing(installation: Installation) -> None:
    installation.start()
    installation.kill("broker")
    for n in range(20):  # accepted while the broker is down or just back
        installation.put(f"b{n}", pictures.encode(pictures.photo(64, 64, seed=n), "JPEG"))
    installation.wait_until(installation.settled, 60)
    assert installation.get("/v1/status")["products"]["searchable"] == 20
    for n in range(20, 40):
        installation.put(f"b{n}", pictures.encode(pictures.photo(64, 64, seed=n), "JPEG"))
    installation.kill("supervisor", "server", "broker")
    installation.start()
    installation.wait_until(installation.settled, 60)
    status = installation.get("/v1/status")
    assert (status["products"]["searchable"], status["index"]["points"]) == (40, 40)


def test_a_lost_index_is_built_again_from_catalog_and_pictures(installation: Installation) -> None:
    installation.start()
    photo = pictures.jpeg(seed=2)
    installation.put("l1", photo)
    installation.wait_until(installation.settled)
    installation.stop()
    shutil.rmtree(installation.data_dir / "index")
    installation.start()
    installation.wait_until(installation.settled)
    assert installation.search(photo)[0]["product_id"] == "l1"


def test_a_second_server_on_the_same_data_is_refused(running: Installation) -> None:
    second = subprocess.run(
        [sys.executable, "-m", "backend.cli.main", "serve"],
        env=running.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 78
    assert "data_directory_in_use" in second.stderr


def test_another_model_is_refused_with_the_command_that_would_change_it(installation: Installation) -> None:
    installation.start()
    assert installation.stop() == 0
    installation.environment["SHELFSIGHT_MODEL"] = "packaged"
    assert installation.launch().wait(60) == 78
    log = installation.log.read_text()
    assert "model_mismatch" in log
    assert "shelfsight reindex --model packaged" in log


def test_ctrl_c_stops_everything_and_leaves_no_process(installation: Installation) -> None:
    installation.start()
    pids = installation.pids()
    assert installation.stop(signal.SIGINT) == 0
    for pid in pids.values():
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_killed_supervisor_takes_its_children_along(installation: Installation) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux ties children to their parent")
    installation.start()
    pids = installation.pids()
    installation.kill("supervisor")

    def gone() -> bool:
        try:
            os.kill(pids["broker"], 0)
            os.kill(pids["server"], 0)
        except ProcessLookupError:
            return True
        return False

    installation.wait_until(gone, 30)


def test_an_open_address_without_a_key_is_refused(installation: Installation) -> None:
    installation.environment["SHELFSIGHT_SERVER__HOST"] = "0.0.0.0"
    assert installation.launch().wait(60) == 78
    assert "SHELFSIGHT_SERVER__PLATFORM_KEY" in installation.log.read_text()
