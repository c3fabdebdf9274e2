"""What HTTP adds to a search: `python -m benchmarks.search_http [folder]`, and the last part of `make bench-search`.

A server of its own with the clothing catalog in it is asked for what is like a product, one request at a time over one
connection. In turns with it, in blocks, the store is asked the same without a server: a copy of the index is opened
here, the product's vectors are read from it and the nearest products found. The difference is what the way from the
socket to the answer takes: HTTP, checks, catalog, JSON; and that the processor rests between two requests, while here
one call follows the other (a pause of 3 ms between them makes a call longer by a third). What the search by itself took
in the server, the answer says (`took_ms`): the rest is HTTP, checks and JSON alone.
"""

import argparse
import csv
import http.client
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from rich.console import Console

from backend.cli.client import Api
from backend.cli.ingest import ingest
from backend.domain.filters import Filter
from backend.domain.product import ProductKey
from backend.vectors.edge_store import EdgeStore
from benchmarks.encoder_quality import CLOTHING
from tests.installation import Installation

MERCHANT = "default"
LIMITS = (10, 24, 100)
BLOCK = 50
BLOCKS = 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=CLOTHING, help="the clothing set's folder")
    parser.add_argument("--data", type=Path, help="keep the server's data directory here, and use it again as it is")
    given = parser.parse_args()
    report(given.folder, given.data)


def report(folder: Path = CLOTHING, data: Path | None = None) -> None:
    with (folder / "catalog.csv").open(encoding="utf-8", newline="") as file:
        ids = [row["product_id"] for row in csv.DictReader(file)]
    with tempfile.TemporaryDirectory(prefix="shelfsight-bench-") as scratch:
        installation = Installation(data or Path(scratch) / "data", SHELFSIGHT_MODEL="packaged")
        filled = installation.data_dir.exists()
        installation.start()
        try:
            if not filled:
                with Api(installation.url, key=None, merchant=MERCHANT) as api:
                    ingest(api, folder / "catalog.csv", Console(quiet=True))
            compare(installation, ids, Path(scratch) / "copy")
        finally:
            installation.stop()
        catalog = (installation.data_dir / "catalog.db").stat().st_size
        pictures = sum(
            file.stat().st_size for file in (installation.data_dir / "pictures").rglob("*") if file.is_file()
        )
        print(f"  {catalog / len(ids):.0f} bytes of catalog and {pictures / len(ids):.0f} of pictures a product")


def compare(installation: Installation, ids: Sequence[str], copy: Path) -> None:
    """A copy of an index in use opens: the engine replays what was not flushed."""
    shutil.copytree(installation.data_dir / "index", copy)
    store, connection = EdgeStore.open(copy), connected(installation.url)
    print(f"\nover HTTP, by product id, one at a time, {len(ids)} pictures: ms")
    print(
        "  limit   HTTP p50      p95   store p50      p95   added p50   search in the server p50   beside it p50"
        "   server's processor time   answer's bytes"
    )
    try:
        for limit in LIMITS:
            print_limit(installation, connection, store, ids, limit)
    finally:
        connection.close()
        store.close()


def print_limit(
    installation: Installation,
    connection: http.client.HTTPConnection,
    store: EdgeStore,
    ids: Sequence[str],
    limit: int,
) -> None:
    answers: list[bytes] = []

    def over_http(name: str) -> None:
        answers.append(asked(connection, {"product_id": name, "limit": limit}))

    def directly(name: str) -> None:
        vectors = list(store.vectors_of(ProductKey(MERCHANT, name)).values())
        found = store.nearest(MERCHANT, np.mean(vectors, axis=0), Filter(), limit=limit, exclude=[name])
        assert len(found) == limit

    times: dict[Callable[[str], None], list[float]] = {over_http: [], directly: []}
    for way in times:
        for name in ids[:BLOCK]:
            way(name)
    answers.clear()
    used, server = 0.0, installation.pids()["server"]
    for block in range(BLOCKS):
        some = ids[block * BLOCK : (block + 1) * BLOCK]
        for way, taken in times.items():
            before = processor_seconds(server)
            for name in some:
                started = time.perf_counter()
                way(name)
                taken.append((time.perf_counter() - started) * 1e3)
            used += processor_seconds(server) - before if way is over_http else 0.0
    (web, web_tail), (own, own_tail) = (
        (statistics.median(taken), float(np.percentile(taken, 95))) for taken in times.values()
    )
    inside = [json.loads(answer)["took_ms"]["total"] for answer in answers]
    beside = [whole - part for whole, part in zip(times[over_http], inside, strict=True)]
    print(
        f"  {limit:5} {web:10.2f} {web_tail:8.2f} {own:11.2f} {own_tail:8.2f} {web - own:11.2f}"
        f" {statistics.median(inside):26.2f} {statistics.median(beside):15.2f}"
        f" {used * 1e3 / len(answers):25.2f} {len(answers[-1]):16}",
        flush=True,
    )


def connected(url: str) -> http.client.HTTPConnection:
    """As plain as can be: a client library's own time is not the server's."""
    return http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)


def asked(connection: http.client.HTTPConnection, question: dict[str, object]) -> bytes:
    connection.request("POST", "/v1/search", json.dumps(question), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    data = answer.read()
    assert answer.status == 200, data
    return data


def processor_seconds(pid: int) -> float:
    """Of all threads of a process so far (Linux): its 14th and 15th fields, in hundredths."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


if __name__ == "__main__":
    main()
