"""The whole way on real photographs: `python -m benchmarks.end_to_end [folder] [--clip]` (make bench-ingest).

Starts a server of its own with the packaged encoder (or a CLIP), ingests the clothing catalog over the public API, and
prints

- products/s of the ingest beside the bare encoder's pictures/s on the same files, right before and right after (the
  ratio to their mean is what counts: machines differ, and from minute to minute),
- for the test split as queries against the rest: the mean share of the query's category among the first 10,
- whether every match under a category and price filter satisfies it,
- P@10 of the ten class names as words, by titles and pictures,
- how long a search takes over HTTP, and how long a new picture and a new price take to be searchable, beside what one
  picture takes the bare encoder.
"""

import argparse
import csv
import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rich.console import Console

from backend.cli.client import Api
from backend.cli.ingest import ingest
from backend.imaging.decode import decode
from backend.imaging.limits import PictureLimits
from backend.opening import load_embedder
from backend.ports import Embedder
from backend.settings import WorkerSettings, load_settings
from benchmarks.clip_weights import save_clip_of_real_size
from benchmarks.encoder_quality import CLOTHING
from tests.installation import Installation

SAMPLE = 960
FRESH = 60
WORDS = {  # a shopper's word -> the category it means
    "dress": "dress",
    "hat": "hat",
    "shoes": "shoes",
    "pants": "pants",
    "shorts": "shorts",
    "skirt": "skirt",
    "t-shirt": "t-shirt",
    "long sleeve shirt": "longsleeve",
    "jacket": "outwear",
    "shirt": "shirt",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=CLOTHING, help="the clothing set's folder")
    parser.add_argument("--clip", action="store_true", help="with a CLIP of random weights: the rate, and nothing else")
    given = parser.parse_args()
    folder, clip = given.folder, given.clip
    rows = list(csv.DictReader((folder / "catalog.csv").open(encoding="utf-8")))
    with tempfile.TemporaryDirectory(prefix="shelfsight-bench-") as scratch:
        model = str(save_clip_of_real_size(Path(scratch) / "clip")) if clip else "packaged"
        data_dir = Path(scratch) / "data"
        encoder = load(model, data_dir)
        before, single = bare_rate(encoder, folder, rows)
        installation = Installation(data_dir, SHELFSIGHT_MODEL=model)
        installation.start()
        try:
            with Api(installation.url, key=None, merchant="default") as api:
                for row in rows:  # the bare encoder had its files in memory, too
                    (folder / row["image"]).read_bytes()
                outcome = ingest(api, folder / "catalog.csv", Console())
                rate = outcome.searchable / outcome.seconds
                after, _ = bare_rate(encoder, folder, rows)
                ratio = rate / ((before + after) / 2)
                print(f"ingest: {outcome.searchable} of {len(rows)} products searchable in {outcome.seconds:.1f} s")
                print(
                    f"ingest {rate:.1f} products/s, bare encoder {before:.1f} pictures/s before and {after:.1f} after,"
                    f" ratio {ratio:.2f}"
                )
                if not clip:
                    print_quality(api, folder, rows)
                print_freshness(installation, folder, rows, single)
        finally:
            installation.stop()


def load(model: str, data_dir: Path) -> Embedder:
    """As the server will: what it derives and measures at its first start is there then."""
    settings = load_settings(data_dir=data_dir, model=model)
    embedder, choice = load_embedder(settings, model, None)
    print(f"{choice.model}: {embedder.how}")
    return embedder


def bare_rate(encoder: Embedder, folder: Path, rows: Sequence[dict[str, str]]) -> tuple[float, float]:
    """Pictures/s of decoding and embedding alone, on as many threads and in batches as the worker has them.

    And the milliseconds one picture alone takes, p50.
    """
    worker = WorkerSettings()
    files = [(folder / row["image"]).read_bytes() for row in rows[:: max(len(rows) // SAMPLE, 1)][:SAMPLE]]
    batches = [files[begin : begin + worker.batch] for begin in range(0, len(files), worker.batch)]
    limits = PictureLimits()

    def embed(batch: Sequence[bytes]) -> None:
        encoder.embed_images([decode(data, encoder.picture_side, limits) for data in batch])

    embed(batches[0])  # warm
    singles = []
    for data in files[:FRESH]:
        started = time.perf_counter()
        embed([data])
        singles.append((time.perf_counter() - started) * 1e3)
    started = time.perf_counter()
    with ThreadPoolExecutor(worker.threads) as pool:
        list(pool.map(embed, batches))
    return len(files) / (time.perf_counter() - started), statistics.median(singles)


def print_quality(api: Api, folder: Path, rows: Sequence[dict[str, str]]) -> None:
    """Relevance over HTTP."""
    tests = [row for row in rows if row["split"] == "test"]
    unseen = {"not": {"product_id": [row["product_id"] for row in tests]}}
    shares, times = [], []
    for row in tests:
        started = time.perf_counter()
        matches = found(api, {"limit": 10, "filter": unseen}, folder / row["image"])
        times.append((time.perf_counter() - started) * 1e3)
        shares.append(sum(match["product"]["category"] == row["category"] for match in matches) / 10)
    print(f"picture -> same category in the first 10: mean {statistics.mean(shares):.3f} over {len(tests)} queries")
    tail = sorted(times)[int(len(times) * 0.95)]
    print(f"picture search over HTTP: p50 {statistics.median(times):.0f} ms, p95 {tail:.0f} ms")
    print(f"filter category and price: {filtered_share(api, folder, tests):.1%} of matches satisfy it")
    precision = {word: word_precision(api, word, name) for word, name in WORDS.items()}
    print("words P@10: " + ", ".join(f"{word} {value:.1f}" for word, value in precision.items()))
    print(f"words P@10: mean {statistics.mean(precision.values()):.2f} over {len(precision)} class names")


def print_freshness(installation: Installation, folder: Path, rows: Sequence[dict[str, str]], single: float) -> None:
    """From the first byte of an upload, or of a change of price, until a search shows it; nothing else is running."""
    accepted, uploads, prices = [], [], []
    for number, row in enumerate(rows[:FRESH]):
        # A byte behind the picture is not read, and makes it one that was never embedded.
        name, picture = f"fresh-{number}", (folder / row["image"]).read_bytes() + b"\0"
        started = time.perf_counter()
        installation.put(name, picture, price=1)
        accepted.append((time.perf_counter() - started) * 1e3)
        while installation.get(f"/v1/products/{name}")["state"] != "searchable":
            time.sleep(0.002)
        uploads.append((time.perf_counter() - started) * 1e3)
        started = time.perf_counter()
        installation.http.patch(f"{installation.url}/v1/products/{name}", json={"price": 2}).raise_for_status()
        wanted = {"product_id": name, "price": {"gte": 2}}
        while not installation.search(text="dress", limit=1, filter=wanted):
            time.sleep(0.002)
        prices.append((time.perf_counter() - started) * 1e3)
    for what, times in (("upload accepted", accepted), ("picture searchable", uploads), ("price searchable", prices)):
        print(f"{what}: p50 {statistics.median(times):.0f} ms, p95 {sorted(times)[int(len(times) * 0.95)]:.0f} ms")
    print(
        f"the bare encoder takes {single:.0f} ms for one picture; 1.5 times that and 50 ms are {1.5 * single + 50:.0f}"
    )


def filtered_share(api: Api, folder: Path, tests: Sequence[dict[str, str]]) -> float:
    """The share of matches that satisfy the filter they were searched under."""
    kept = total = 0
    for row in tests:
        low, high = float(row["price"]) * 0.5, float(row["price"]) * 1.5
        wanted = {"category": row["category"], "price": {"gte": low, "lt": high}}
        for match in found(api, {"limit": 24, "filter": wanted}, folder / row["image"]):
            total += 1
            product = match["product"]
            kept += product["category"] == row["category"] and low <= float(product["price"]) < high
    return kept / total if total else 0.0


def word_precision(api: Api, word: str, name: str) -> float:
    """The share of the first 10 whose category ends with the class's name."""
    matches = found(api, {"text": word, "limit": 10}, None)
    return sum(str(match["product"]["category"]).split("/")[-1] == name for match in matches) / 10


def found(api: Api, query: dict[str, Any], picture: Path | None) -> list[dict[str, Any]]:
    matches: list[dict[str, Any]] = api.search(query, picture)["matches"]
    return matches


if __name__ == "__main__":
    main()
