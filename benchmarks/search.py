"""The index by itself: `python -m benchmarks.search` (make bench-search).

Real embeddings multiplied to 10,000, 100,000 and 300,000 pictures (see `search_data`), the same questions to every
engine, every answer judged by the exact matrix product:

- storing: pictures/s, building, disk, memory;
- asking for the ten best products under six filters: p50, p95, p99, processor time, recall@10 for questions near a
  picture and for words, and the ratio of p50 to the exact product's, which is timed for the same questions right after;
- words, words and looks, facets, and the page that ends at 1,000 products, where an engine can;
- what HTTP adds to a search (see `search_http`).

Engines: our embedded store, the exact product in numpy on one core, qdrant-client's in-process mode (smallest size
only), LanceDB and Chroma (`pip install -e ".[bench]"`). The last two may choose, for each filter, whatever setting is
fastest at a recall of 0.98, or of ours where that is less; ours has one setting. They find pictures; products are
formed of their answers in the benchmark (see `search_rivals`), inside the time measured, as our store does it itself.
"""

import argparse
import importlib.util
import os
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from typing import ParamSpec, TypeVar

from benchmarks.search_data import Photographs, made, photographs
from benchmarks.search_engines import Edge, Exact
from benchmarks.search_measure import ENGINES, Filled, Served, fill, serve
from benchmarks.search_questions import asked
from benchmarks.search_tasks import TASKS

SIZES = (10_000, 100_000, 300_000)
ASKED_EACH = 100
FLOOR = 0.98
SLOW = ("qdrant-client",)
"""Engines measured at the smallest size only."""
PACKAGES = {"lancedb": "lancedb", "chroma": "chromadb"}

P = ParamSpec("P")
R = TypeVar("R")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="pictures; 1000000 needs 8 GB and an hour")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES), help="ours is always measured")
    parser.add_argument("--each", type=int, default=ASKED_EACH, help="questions of each kind under each filter")
    parser.add_argument("--cache", type=Path, help="keep the photographs' embeddings here and use them again")
    parser.add_argument("--scratch", type=Path, help="where catalogs and indexes are made (a temporary folder in it)")
    parser.add_argument("--without-http", action="store_true", help="leave out the last part, see `search_http`")
    given = parser.parse_args()
    # Two threads that wait for each other are slower than one on a busy machine.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="search-", dir=given.scratch)))
        base = photographs(given.cache or scratch)
        print(f"{len(base.vectors)} photographs and {len(base.words)} texts embedded; {os.cpu_count()} cores")
        engines = [name for name in ENGINES if name in given.engines and _installed(name)]
        for size in given.sizes:
            chosen = [name for name in engines if size == min(given.sizes) or name not in SLOW]
            report(base, size, list(dict.fromkeys([Edge.name, *chosen])), given.each, scratch / str(size))
    if not given.without_http:
        from benchmarks.search_http import report as report_http  # brings torch, which no engine's process needs

        report_http()


def _installed(name: str) -> bool:
    package = PACKAGES.get(name)
    if package is None or importlib.util.find_spec(package):
        return True
    print(f'{name} is not installed and not measured: pip install -e ".[bench]"')
    return False


def report(base: Photographs, size: int, engines: Sequence[str], each: int, folder: Path) -> None:
    catalog = made(base, size, folder)
    questions = asked(base, catalog, folder / "scores.npy", each)
    print(f"\n{len(catalog.vectors)} pictures of {catalog.products} products; {2 * each} questions a filter")
    filled, served = dict[str, Filled](), dict[str, Served]()
    floor: dict[str, float] = {}
    for name in engines:
        index = folder / name
        filled[name] = apart(fill, name, folder, index)
        served[name] = apart(serve, name, folder, index, questions, floor)
        if name != Exact.name:
            print_storing(name, filled[name], served[name], len(catalog.vectors))
        if not floor:  # ours comes first
            floor = {title: min(FLOOR, a.near, a.words) for title, a in served[name].classes.items()}
    for title in questions.classes:
        print_class(title, served)
    print_tasks(served)


def apart(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """In a process of its own, started anew."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *args, **kwargs).result()


def print_storing(name: str, filled: Filled, served: Served, pictures: int) -> None:
    stored = (
        f"{pictures / filled.fill_seconds:8.0f} pictures/s stored"
        f" ({filled.fill_cpu * 1e3 / pictures:.2f} ms of processor time each),"
        f" built in {filled.finish_seconds:.1f} s ({filled.finish_cpu:.1f} s of processor time),"
        if filled.disk_bytes
        else "in memory,"
    )
    print(
        f"  {name:14} {stored} opened in {served.open_seconds:.2f} s;"
        f" {filled.disk_bytes / pictures:.0f} B a picture on disk, {served.resident_bytes / pictures:.0f} in memory,"
        f" {served.anonymous_bytes / pictures:.0f} of them not a file's ({served.resident_bytes / 1e6:.0f} MB in all)",
        flush=True,
    )


def print_class(title: str, served: dict[str, Served]) -> None:
    print(f"\n  {title:24}      p50      p95      p99  ms of processor   x exact   recall near  words   asked  setting")
    ours = served[Edge.name].classes[title]
    for name, engine in served.items():
        row = engine.classes[title]
        setting = " ".join(f"{key}={value}" for key, value in row.setting.items())
        times = f"{row.p50 / ours.p50:.1f} x ours" if row is not ours else ""
        print(
            f"    {name:22} {row.p50:8.2f} {row.p95:8.2f} {row.p99:8.2f} {row.cpu:16.2f} {row.p50 / row.reference:9.2f}"
            f"         {row.near:.3f}  {row.words:.3f} {row.asked:7}  {setting} {times}",
            flush=True,
        )


def print_tasks(served: dict[str, Served]) -> None:
    print("\n  what else                                          p50      p95  ms of processor   found   asked")
    for title in TASKS:
        for name, engine in served.items():
            if row := engine.tasks.get(title):
                what = f"{title}: {name}"
                print(f"    {what:42} {row.p50:8.2f} {row.p95:8.2f} {row.cpu:16.2f} {row.found:7.0f} {row.asked:7}")


if __name__ == "__main__":
    main()
