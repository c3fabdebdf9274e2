"""Hosts of pictures that fail, lie or lead elsewhere, and the one good host beside them, on a real server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import hosts, pictures
from tests.bad_inputs.hosts import DENIED, FETCH_SECONDS, HOSTED, MAX_BYTES
from tests.hosts import Host
from tests.installation import Installation

pytestmark = pytest.mark.slow

TRIES = 2


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    bad = {f"/bad-{n}.jpg": hosted.behaviour for n, hosted in enumerate(HOSTED)}
    good = {f"/good-{n}.jpg": hosts.picture(pictures.jpeg(64, 64, seed=n)) for n in range(len(HOSTED))}
    with Host(bad | good) as host:
        yield host


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory, tiny_clip: Path, host: Host) -> Iterator[Installation]:
    """A server that was sent each bad address and beside it a good one, when nothing is due any more.

    One pair after another: all are one host by name, and one that only failed would be left alone for a while.
    """
    installation = Installation(
        tmp_path_factory.mktemp("hosts") / "data",
        SHELFSIGHT_MODEL=str(tiny_clip),
        SHELFSIGHT_FETCH__ALLOW_PRIVATE="true",
        SHELFSIGHT_FETCH__PORTS=f"[{host.port}, 80]",
        SHELFSIGHT_FETCH__DENY_HOSTS=f'["{DENIED}"]',
        SHELFSIGHT_FETCH__SECONDS=str(FETCH_SECONDS),
        SHELFSIGHT_FETCH__TRIES=str(TRIES),
        SHELFSIGHT_FETCH__BACKOFF_SECONDS="0.1",
        SHELFSIGHT_LIMITS__MAX_IMAGE_BYTES=str(MAX_BYTES),
        SHELFSIGHT_WORKER__SWEEP_SECONDS="0.5",
    )
    try:
        installation.start()
        for n in range(len(HOSTED)):
            for name in (f"bad-{n}", f"good-{n}"):
                body = {"images": [{"url": host.url(f"/{name}.jpg")}]}
                answer = installation.http.put(f"{installation.url}/v1/products/{name}", json=body)
                assert answer.status_code == 202, answer.text
            installation.wait_until(installation.settled)
        yield installation
    finally:
        installation.stop()


@pytest.mark.parametrize("number", range(len(HOSTED)), ids=[hosted.name for hosted in HOSTED])
def test_a_picture_that_cannot_be_had_fails_with_its_code(ended: Installation, host: Host, number: int) -> None:
    shown = ended.get(f"/v1/products/bad-{number}")
    assert (shown["state"], shown["code"]) == ("failed", HOSTED[number].code), shown
    if HOSTED[number].transient:
        assert host.requests[f"/bad-{number}.jpg"] == TRIES
    elif HOSTED[number].code != "url_too_many_redirects":
        assert host.requests[f"/bad-{number}.jpg"] == 1


def test_the_products_of_good_hosts_are_searchable_all_the_same(ended: Installation) -> None:
    states = [ended.get(f"/v1/products/good-{n}")["state"] for n in range(len(HOSTED))]
    assert states == ["searchable"] * len(HOSTED)


def test_nothing_of_it_is_left_over(ended: Installation) -> None:
    status = ended.get("/v1/status")
    assert (status["products"]["searchable"], status["index"]["points"]) == (len(HOSTED), len(HOSTED))
    assert sorted(ended.data_dir.rglob("*.part")) == []
