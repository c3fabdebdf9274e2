"""Another encoder while everything goes on: a writer and a searcher run through the change, and the way back."""

import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import pictures
from tests.fakes.tiny_clip import save_tiny_clip
from tests.installation import Installation

pytestmark = pytest.mark.slow

SAME = 0.999  # the score of a picture with itself; by a vector of the other encoder it would be far below


@pytest.fixture(scope="module")
def other_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_clip(tmp_path_factory.mktemp("other") / "second", seed=5)


def started(installation: Installation) -> str:
    """A server whose setting leaves the encoder to the index; the fingerprint of its first one."""
    installation.start()
    fingerprint: str = installation.get("/v1/status")["model"]["fingerprint"]
    installation.stop()
    installation.environment["SHELFSIGHT_MODEL"] = "auto"
    installation.start()
    return fingerprint


def reindexing(installation: Installation, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "backend.cli.main", "reindex", *arguments],
        env={**installation.environment, "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def reindexed(installation: Installation, *arguments: str, status: int = 0) -> str:
    process = reindexing(installation, *arguments)
    try:
        told, _ = process.communicate(timeout=240)
    finally:
        process.kill()
    assert process.returncode == status, told + installation.log.read_text()[-3000:]
    return told


def generations(installation: Installation) -> dict[int, dict[str, Any]]:
    return {it["generation"]: it for it in installation.get("/v1/index")["generations"]}


class Shop:
    """A catalog system that writes without a pause, and front ends that search. What goes wrong is noted."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._draw = random.Random(1)
        self._end = threading.Event()
        self._lock = threading.Lock()
        self.wanted: dict[str, tuple[int, str] | None] = {}  # seed of the picture and title; None: deleted
        self.shown: set[str] = set()  # were searchable, and were not touched since
        self.problems: list[str] = []
        self.fingerprints: list[str] = []
        self.searches = self.writes = 0
        self.slowest = 0.0

    @contextmanager
    def open(self) -> Iterator["Shop"]:
        threads = [threading.Thread(target=self._loop, args=(verb,)) for verb in (self._write, self._search)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._end.set()
            for thread in threads:
                thread.join(90)

    def _loop(self, verb: Any) -> None:
        with httpx.Client(base_url=self._installation.url, timeout=60, trust_env=False) as http:
            while not self._end.is_set():
                try:
                    verb(http)
                except (httpx.HTTPError, KeyError, AssertionError) as err:
                    self.problems.append(f"{type(err).__name__}: {err}")
                time.sleep(0.01)

    def _write(self, http: httpx.Client) -> None:
        product_id = f"w{self._draw.randrange(60)}"
        seed, title = self._draw.randrange(10_000), f"Title {self.writes}"
        live = self.wanted.get(product_id) is not None
        with self._lock:
            self.shown.discard(product_id)
        kind = self._draw.randrange(6)
        if kind == 0 and live:
            answer = http.delete(f"/v1/products/{product_id}")
            wanted = None
        elif kind <= 2 and live:
            answer = http.patch(f"/v1/products/{product_id}", json={"title": title})
            wanted = (self.wanted[product_id] or (0, ""))[0], title
        else:
            image = ("a.jpg", pictures.jpeg(seed=seed), "image/jpeg")
            parts: Any = {"product": (None, f'{{"title": "{title}"}}', "application/json"), "images": image}
            answer = http.put(f"/v1/products/{product_id}", files=parts, headers={"Prefer": "wait=20"})
            wanted = seed, title
        assert answer.is_success, f"{answer.status_code} {answer.text}"
        self.writes += 1
        with self._lock:
            self.wanted[product_id] = wanted
            if answer.status_code in {200, 201}:
                self.shown.add(product_id)

    def _search(self, http: httpx.Client) -> None:
        with self._lock:
            shown = sorted(self.shown)
            if not shown:
                return
            product_id = self._draw.choice(shown)
            wanted = self.wanted[product_id]
            seed = (wanted or (0, ""))[0]
        begun = time.monotonic()
        answer = http.post(
            "/v1/search",
            files={"image": ("q.jpg", pictures.jpeg(seed=seed), "image/jpeg")},
            data={"query": f'{{"filter": {{"product_id": "{product_id}"}}}}'},
        )
        assert answer.is_success, f"{answer.status_code} {answer.text}"
        self.slowest = max(self.slowest, time.monotonic() - begun)
        self.searches += 1
        found = answer.json()
        self.fingerprints.append(found["model"]["fingerprint"])
        with self._lock:
            # A whole write may have come and gone while the search was under way.
            untouched = product_id in self.shown and self.wanted[product_id] is wanted
        if untouched:
            assert [it["product_id"] for it in found["matches"]] == [product_id], f"{product_id} vanished"
            assert found["matches"][0]["score"] > SAME, found["matches"][0]["score"]

    def lost(self) -> list[str]:
        """What the index does not show as it was last written, after all is settled."""
        self._installation.wait_until(self._installation.settled, 120)
        wrong = []
        for product_id, wanted in self.wanted.items():
            seed = wanted[0] if wanted else 0
            found = self._installation.search(pictures.jpeg(seed=seed), filter={"product_id": product_id})
            shown = [(it["product"]["title"], it["score"] > SAME) for it in found]
            if shown != ([(wanted[1], True)] if wanted else []):
                wrong.append(f"{product_id}: {shown} instead of {wanted}")
        return wrong


def test_a_writer_and_a_searcher_notice_nothing_of_the_change_and_of_the_way_back(
    installation: Installation, other_clip: Path
) -> None:
    first = started(installation)
    for number in range(40):
        installation.put(f"w{number}", pictures.jpeg(seed=number), title="First")
    shop = Shop(installation)
    shop.wanted = {f"w{number}": (number, "First") for number in range(40)}
    with shop.open():
        time.sleep(3)
        told = reindexed(installation, "--model", str(other_clip), "--even-if-worse")
        assert "compared by" in told
        assert "serves. The former index is kept" in told
        found = generations(installation)
        assert (found[1]["state"], found[2]["state"]) == ("kept", "serving")
        assert found[2]["comparison"]["queries"] > 0
        second = found[2]["fingerprint"]
        reindexed(installation, "--rollback")  # at once: the server may still have the former index open
        time.sleep(3)
    assert shop.problems == []
    assert shop.lost() == []
    assert shop.writes > 20
    assert shop.searches > 20
    changes = [one for one, other in zip(shop.fingerprints, shop.fingerprints[1:], strict=False) if one != other]
    assert changes == [first, second]  # one, then the other, then the one again: never to and fro
    assert {it["state"] for it in generations(installation).values()} == {"kept", "serving"}
    print(f"{shop.writes} writes, {shop.searches} searches, the slowest {shop.slowest * 1e3:.0f} ms")


def test_a_builder_that_is_killed_again_and_again_ends_with_a_whole_index(
    installation: Installation, other_clip: Path
) -> None:
    started(installation)
    for number in range(150):
        installation.put(f"w{number}", pictures.jpeg(seed=number), title="First")
    installation.wait_until(installation.settled, 120)
    shop = Shop(installation)
    shop.wanted = {f"w{number}": (number, "First") for number in range(150)}
    draw, seconds = random.Random(), 25.0
    with shop.open():
        for _ in range(5):
            process, begun = reindexing(installation, "--model", str(other_clip), "--even-if-worse"), time.monotonic()
            try:
                process.communicate(timeout=draw.uniform(2.0, seconds))
                seconds = max(time.monotonic() - begun, 4.0)  # it came to its end: kill sooner
                reindexed(installation, "--rollback")
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
        reindexed(installation, "--model", str(other_clip), "--even-if-worse")
    assert shop.problems == []
    assert shop.lost() == []
    assert installation.get("/v1/status")["model"]["name"] == str(other_clip)


def test_without_a_server_the_command_does_everything_itself(installation: Installation, other_clip: Path) -> None:
    started(installation)
    installation.put("p1", pictures.jpeg(seed=1), title="One")
    installation.wait_until(installation.settled)
    installation.stop()
    told = reindexed(installation, "--model", str(other_clip))
    assert "compared by" in told
    installation.start()
    assert installation.get("/v1/status")["model"]["name"] == str(other_clip)
    assert installation.search(pictures.jpeg(seed=1))[0]["score"] > SAME
    installation.put("p2", pictures.jpeg(seed=2), title="Two")
    installation.wait_until(installation.settled)
    installation.stop()
    reindexed(installation, "--rollback")
    installation.start()
    assert installation.get("/v1/status")["model"]["name"] != str(other_clip)
    assert installation.search(pictures.jpeg(seed=2))[0]["score"] > SAME


def test_a_setting_that_names_another_encoder_is_told_of_before_a_start_is_refused(
    installation: Installation, other_clip: Path
) -> None:
    installation.start()
    named = installation.environment["SHELFSIGHT_MODEL"]
    told = reindexed(installation, "--model", str(other_clip), "--even-if-worse")
    assert f"the setting `model` names {named}" in told
    assert installation.get("/v1/status")["model"]["name"] == str(
        other_clip
    )  # though the running server's names it too
    installation.stop()
    assert installation.launch().wait(60) == 78
    assert "model_mismatch" in installation.log.read_text()
    installation.environment["SHELFSIGHT_MODEL"] = "auto"
    installation.start()


def test_what_cannot_be_done_is_refused_before_anything_is_built(installation: Installation, tmp_path: Path) -> None:
    assert "no index yet" in reindexed(installation, "--model", "packaged", status=78)
    started(installation)
    assert "nothing to go back to" in reindexed(installation, "--rollback", status=78)
    assert "model_unavailable" in reindexed(installation, "--model", str(tmp_path / "nowhere"), status=2)
    assert "--model" in reindexed(installation, status=2)
    assert list(generations(installation)) == [1]
