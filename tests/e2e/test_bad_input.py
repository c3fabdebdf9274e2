"""Every bad request over a socket: one server takes them all, and is the same afterwards."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests import pictures
from tests.bad_inputs.case import KNOWN, Case, request
from tests.bad_inputs.cases import CASES
from tests.bad_inputs.judging import Answer, expected, judge, prepare
from tests.installation import Installation

pytestmark = pytest.mark.slow

PASSES = 6
MEMORY_BYTES = 100_000_000
"""How much more the server may hold after six passes over the table than before, six having gone before. The allocator
keeps what each thread once needed, so the first passes raise the level; one body of 20 MB kept per pass would show."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, tiny_clip: Path) -> Iterator[Installation]:
    installation = Installation(
        tmp_path_factory.mktemp("bad") / "data",
        SHELFSIGHT_MODEL=str(tiny_clip),
        SHELFSIGHT_FETCH__TRIES="2",
        SHELFSIGHT_FETCH__BACKOFF_SECONDS="0.1",
        SHELFSIGHT_WORKER__SWEEP_SECONDS="0.5",
    )
    try:
        installation.start()
        prepare(lambda made: send(installation, made), lambda: settle(installation), pictures.jpeg(seed=1))
        yield installation
    finally:
        installation.stop()


def send(server: Installation, made: httpx.Request) -> Answer:
    answer = server.send(made)
    return answer.status_code, answer.headers["Content-Type"], answer.json()


def settle(server: Installation) -> None:
    server.wait_until(server.settled)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_bad_request_over_a_socket_gets_its_code_and_changes_nothing(server: Installation, case: Case) -> None:
    def state() -> tuple[object, object, object]:
        return server.get("/v1/status")["products"], server.get(f"/v1/products/{KNOWN}"), server.pids()["server"]

    before = state()
    assert judge(case, lambda made: send(server, made), lambda: settle(server)) == expected(case)
    assert state() == before


def test_the_whole_table_again_and_again_leaves_the_server_with_the_memory_it_had(server: Installation) -> None:
    pid = server.pids()["server"]
    for _ in range(PASSES):
        everything(server)
    before = server.rss_bytes()
    for _ in range(PASSES):
        everything(server)
    assert server.pids()["server"] == pid
    assert server.rss_bytes() - before < MEMORY_BYTES
    assert sorted(server.data_dir.rglob("*.part")) == []
    assert sorted((server.data_dir / "imports").iterdir()) == []


def everything(server: Installation) -> None:
    for case in CASES:
        assert server.send(case.make()).status_code < 500, case
    settle(server)
    server.send(request("DELETE", "/v1/products/bad-1"))
    settle(server)


def test_after_all_that_a_good_product_is_searchable(server: Installation) -> None:
    photo = pictures.jpeg(seed=77)
    server.put("good-1", photo, title="Good")
    settle(server)
    assert server.search(photo, limit=1)[0]["product_id"] == "good-1"
