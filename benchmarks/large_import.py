"""A hundred thousand rows: `python -m benchmarks.large_import [folder] [rows]` (make bench-large).

A generated catalog of 100,000 products that share 200 real photographs, sent as one ZIP. Prints how long it takes to be
accepted and to be searchable, the share of pictures that were not embedded again, how the server's memory grew, and how
long the ledger's questions take while it is read and afterwards.
"""

import io
import re
import statistics
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.encoder_quality import CLOTHING
from tests.installation import Installation

ROWS = 100_000
DISTINCT = 200
MEGABYTE = 1e6
ASKED = 50


def main(arguments: Sequence[str]) -> None:
    folder = Path(arguments[0]) if arguments else CLOTHING
    rows = int(arguments[1]) if len(arguments) > 1 else ROWS
    photos = sorted(folder.rglob("*.jpg"))[:DISTINCT]
    with tempfile.TemporaryDirectory(prefix="shelfsight-bench-") as scratch:
        archive = Path(scratch) / "catalog.zip"
        write(archive, photos, rows)
        installation = Installation(Path(scratch) / "data", SHELFSIGHT_MODEL="packaged")
        installation.start()
        try:
            before = memory(installation)
            job_id, seconds = send(installation, archive)
            print(f"{rows} rows, {archive.stat().st_size / MEGABYTE:.0f} MB: accepted in {seconds:.2f} s")
            print_progress(installation, job_id, before)
        finally:
            installation.stop()


def write(archive: Path, photos: Sequence[Path], rows: int) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as target:
        for number, photo in enumerate(photos):
            target.write(photo, f"{number}.jpg")
        text = io.StringIO()
        text.write("product_id,title,category,price,image\n")
        for number in range(rows):
            text.write(f"P{number},Product {number},shop/{number % 500},{number % 300}.90,{number % DISTINCT}.jpg\n")
        target.writestr("products.csv", text.getvalue())


def send(installation: Installation, archive: Path) -> tuple[str, float]:
    started = time.perf_counter()
    with archive.open("rb") as file:
        answer = installation.http.post(
            f"{installation.url}/v1/imports", content=file, headers={"Content-Type": "application/zip"}
        )
    answer.raise_for_status()
    return str(answer.json()["job_id"]), time.perf_counter() - started


def print_progress(installation: Installation, job_id: str, before: int) -> None:
    started = time.perf_counter()
    read = None
    statuses: list[float] = []
    most = before
    while True:
        most = max(most, memory(installation))
        job, seconds = timed(lambda: installation.get(f"/v1/jobs/{job_id}"))
        statuses.append(seconds)
        if read is None and job["total"] is not None:
            read = time.perf_counter() - started
        if job["done"]:
            break
        time.sleep(0.25)
    total = time.perf_counter() - started
    print(f"read in {read or total:.1f} s, searchable in {total:.1f} s: {job['total'] / total:.0f} products/s")
    print(f"counts {job['counts']}, pictures {job['pictures']}")
    print(f"memory of the server: {before / MEGABYTE:.0f} MB before, high water {most / MEGABYTE:.0f} MB")
    print_times("a job's status during the import", statuses)
    questions: dict[str, Callable[[], Any]] = {
        "a job's status at the end": lambda: installation.get(f"/v1/jobs/{job_id}"),
        "the first 100 items": lambda: installation.get(f"/v1/jobs/{job_id}/items"),
        "the last 100 items": lambda: installation.get(f"/v1/jobs/{job_id}/items", cursor=str(job["total"] - 100)),
        "the failed items": lambda: installation.get(f"/v1/jobs/{job_id}/items", state="failed"),
        "the installation's status": lambda: installation.get("/v1/status"),
    }
    for what, question in questions.items():
        print_times(what, [timed(question)[1] for _ in range(ASKED)])


def timed(question: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    answer = question()
    return answer, time.perf_counter() - started


def print_times(what: str, seconds: Sequence[float]) -> None:
    ordered = sorted(seconds)
    tail = ordered[int(len(ordered) * 0.95)]
    print(f"{what}, over HTTP: p50 {statistics.median(ordered) * 1e3:.1f} ms, p95 {tail * 1e3:.1f} ms")


def memory(installation: Installation) -> int:
    """What the server process holds for itself, in bytes (Linux): without the pages of files it maps, the index's."""
    status = Path(f"/proc/{installation.pids()['server']}/status").read_text()
    found = re.search(r"RssAnon:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0


if __name__ == "__main__":
    main(sys.argv[1:])
