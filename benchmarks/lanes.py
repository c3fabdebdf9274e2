"""Who waits for whom: `python -m benchmarks.lanes [folder] [--clip]` (make bench-lanes).

One merchant imports 10,000 pictures, all different; another changes prices, uploads a few products and searches. Prints
how long the small merchant's changes take to be searchable, and its searches to be answered, alone and during the
import, and the ratio of the two. The import is cancelled when enough was measured.
"""

import argparse
import io
import itertools
import json
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx

from benchmarks.clip_weights import save_clip_of_real_size
from benchmarks.encoder_quality import CLOTHING
from tests.installation import Installation

PICTURES = 10_000
PRICES = 100
UPLOADS = 8  # times 5 products
SEARCHES = 100
SMALL, LARGE = {"X-Shelfsight-Merchant": "small"}, {"X-Shelfsight-Merchant": "large"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=CLOTHING, help="one with photographs in it")
    parser.add_argument("--clip", action="store_true", help="with a CLIP of random weights instead of the packaged one")
    given = parser.parse_args()
    photos = sorted(given.folder.rglob("*.jpg"))
    with tempfile.TemporaryDirectory(prefix="shelfsight-bench-") as scratch:
        model = str(save_clip_of_real_size(Path(scratch) / "clip")) if given.clip else "packaged"
        installation = Installation(Path(scratch) / "data", SHELFSIGHT_MODEL=model)
        installation.start()
        try:
            shop = Shop(installation, photos)
            alone = shop.measure()
            job_id = shop.start_import()
            installation.wait_until(lambda: shop.settled(job_id) > 200, 120)
            during = shop.measure()
            print(f"the import of {PICTURES} was {shop.settled(job_id)} pictures far when the last change was measured")
            installation.http.post(f"{installation.url}/v1/jobs/{job_id}/cancel", headers=LARGE).raise_for_status()
        finally:
            installation.stop()
    for what in alone:
        before, after = sorted(alone[what]), sorted(during[what])
        print(
            f"{what}: alone p50 {middle(before)} p95 {tail(before)} ms, during the import p50 {middle(after)} "
            f"p95 {tail(after)} ms, ratio of p50 {statistics.median(after) / statistics.median(before):.1f}"
        )


def middle(times: Sequence[float]) -> int:
    return round(statistics.median(times) * 1e3)


def tail(times: Sequence[float]) -> int:
    return round(times[int(len(times) * 0.95)] * 1e3)


class Shop:
    """The small merchant's products, and the large one's import."""

    def __init__(self, installation: Installation, photos: Sequence[Path]) -> None:
        self._http = installation.http
        self._url = installation.url
        self._photos = photos
        self._numbers = itertools.count()
        self._prices = itertools.count(1)
        self._names = self.upload(20)

    def picture(self) -> bytes:
        """A real photograph nobody has sent yet: bytes after its end make it another file with the same pixels."""
        number = next(self._numbers)
        return self._photos[number % len(self._photos)].read_bytes() + f"#{number}".encode()

    def upload(self, count: int) -> list[str]:
        """Products, once all of them are searchable."""
        names = [f"p{next(self._numbers)}" for _ in range(count)]
        for name in names:
            files: Any = {"product": (None, '{"price": 1}', "application/json"), "images": ("a.jpg", self.picture())}
            self.asked(lambda name=name, files=files: self._http.put(self.product(name), files=files, headers=SMALL))  # type: ignore[misc]
        while any(self.get(self.product(name))["state"] == "pending" for name in names):
            time.sleep(0.005)
        return names

    def product(self, name: str) -> str:
        return f"{self._url}/v1/products/{name}"

    def get(self, url: str) -> Any:
        return self.asked(lambda: self._http.get(url, headers=SMALL)).json()

    @staticmethod
    def asked(call: Callable[[], httpx.Response]) -> httpx.Response:
        answer = call()
        answer.raise_for_status()
        return answer

    def measure(self) -> dict[str, list[float]]:
        """Seconds from the request until a search shows it."""
        return {
            "a price searchable": [self.price(number) for number in range(PRICES)],
            "5 new products searchable": [self.time(lambda: self.upload(5)) for _ in range(UPLOADS)],
            "a search by words asked before": [self.search({"text": "dress"}) for _ in range(SEARCHES)],
            "a search by new words": [self.search({"text": f"dress {next(self._numbers)}"}) for _ in range(SEARCHES)],
            "a search by a new picture": [self.search({}, self.picture()) for _ in range(SEARCHES)],
        }

    def search(self, query: dict[str, Any], picture: bytes | None = None) -> float:
        time.sleep(0.05)  # not in step with anything
        return self.time(lambda: self.find(query, picture))

    def price(self, number: int) -> float:
        name, price = self._names[number % len(self._names)], next(self._prices) + 1

        def change() -> None:
            self.asked(lambda: self._http.patch(self.product(name), json={"price": price}, headers=SMALL))
            while not self.find({"text": "dress", "filter": {"product_id": name, "price": {"gte": price}}}):
                time.sleep(0.005)

        time.sleep(0.2)  # not in step with anything
        return self.time(change)

    def find(self, query: dict[str, Any], picture: bytes | None = None) -> list[Any]:
        question = {"limit": 1, **query}
        asked: dict[str, Any] = {"json": question}
        if picture is not None:
            asked = {"data": {"query": json.dumps(question)}, "files": {"image": ("q.jpg", picture, "image/jpeg")}}
        answer = self.asked(lambda: self._http.post(f"{self._url}/v1/search", **asked, headers=SMALL))
        matches: list[Any] = answer.json()["matches"]
        return matches

    @staticmethod
    def time(what: Callable[[], object]) -> float:
        started = time.perf_counter()
        what()
        return time.perf_counter() - started

    def start_import(self) -> str:
        with tempfile.TemporaryFile() as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                rows = io.StringIO()
                rows.write("product_id,price,image\n")
                for number in range(PICTURES):
                    archive.writestr(f"{number}.jpg", self.picture())
                    rows.write(f"L{number},1,{number}.jpg\n")
                archive.writestr("products.csv", rows.getvalue())
            file.seek(0)
            headers = {**LARGE, "Content-Type": "application/zip"}
            answer = self.asked(lambda: self._http.post(f"{self._url}/v1/imports", content=file, headers=headers))
        return str(answer.json()["job_id"])

    def settled(self, job_id: str) -> int:
        counts = self.asked(lambda: self._http.get(f"{self._url}/v1/jobs/{job_id}", headers=LARGE)).json()["counts"]
        return int(counts["searchable"])


if __name__ == "__main__":
    main()
