"""Who waits while the embedded index builds its graph: `python -m benchmarks.search_growth`.

An index without a graph is searched and written to by threads of one process, as in the server, while a process of its
own builds the graph and this one takes it over. Printed for before, during and after: how long searches and writes
took, how long a thread that only wants to sleep for a millisecond was kept from it, which is what every request of the
server would feel, and how often the process waited for a page of a file that was not in memory: what serves is held
there, see `backend.vectors.edge_memory`; `--held-share 0` leaves that to the system. At the end the new index is
compared with what was written.
"""

import argparse
import logging
import resource
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from backend.domain.filters import AnyOf, Between, Filter
from backend.vectors.edge_limits import EdgeLimits, GrowthLimits
from backend.vectors.edge_store import EdgeStore
from benchmarks.search import apart
from benchmarks.search_data import MERCHANT, Catalog, made, opened, photographs, product_id
from benchmarks.search_engines import Edge, points_of
from benchmarks.search_questions import WANTED_PRODUCTS, Question, Questions, asked, domain_filter

ASKED_EACH = 50
WRITES_EVERY_SECONDS = 0.05
ASIDE_SECONDS = 30.0
"""How long is measured before and after."""
PRICE = 7.0
"""The new price of everything that is written meanwhile."""


def major_faults() -> int:
    """Pages this process waited for the disk for, so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_majflt


def percentile(times: list[float], part: float) -> float:
    return float(np.percentile(times, part)) if times else 0.0


@dataclass
class Phase:
    """What was taken in it, in milliseconds."""

    name: str
    begun: float = field(default_factory=time.perf_counter)
    searches: list[float] = field(default_factory=list)
    writes: list[float] = field(default_factory=list)
    kept_waiting: list[float] = field(default_factory=list)
    faults: int = field(default_factory=major_faults)

    def line(self) -> str:
        seconds, faults = time.perf_counter() - self.begun, major_faults() - self.faults
        kinds = "".join(
            f"   {len(times):7} {percentile(times, 50):7.1f} {percentile(times, 99):7.1f} {max(times, default=0):7.1f}"
            for times in (self.searches, self.writes, self.kept_waiting)
        )
        return f"  {self.name:8} {seconds:6.0f} s{kinds}   {faults:7}"


class Load:
    """Threads that search, write and sleep until the end; what they take is noted in `phase`."""

    def __init__(self, store: EdgeStore, catalog: Catalog, questions: Questions) -> None:
        self.phase = Phase("before")
        self.written = 0
        self._store, self._catalog, self._questions = store, catalog, questions
        self._stop = threading.Event()
        self._failures: list[BaseException] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """Raises what one of the threads failed with."""
        works = (self._search, self._write, self._sleep)
        threads = [threading.Thread(target=self._guarded, args=(work,)) for work in works]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()
        if self._failures:
            raise self._failures[0]

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as err:  # noqa: BLE001 - told by the thread that waits
            self._failures.append(err)

    def _search(self) -> None:
        every: list[Question] = [it for group in self._questions.classes.values() for it in group]
        np.random.default_rng(1).shuffle(every)
        number = 0
        while not self._stop.is_set():
            question = every[number % len(every)]
            number += 1
            started = time.perf_counter()
            wanted = domain_filter(question.wanted)
            self._store.nearest(MERCHANT, self._questions.vector(question), wanted, limit=WANTED_PRODUCTS)
            self.phase.searches.append((time.perf_counter() - started) * 1e3)

    def _write(self) -> None:
        """Products one after another, with another price."""
        bounds = self._catalog.bounds
        for number in range(self._catalog.products):
            if self._stop.wait(WRITES_EVERY_SECONDS):
                return
            points = points_of(self._catalog, number, bounds, version=2, price=PRICE)
            started = time.perf_counter()
            self._store.upsert(points)
            self.phase.writes.append((time.perf_counter() - started) * 1e3)
            self.written = number + 1

    def _sleep(self) -> None:
        while not self._stop.is_set():
            started = time.perf_counter()
            time.sleep(0.001)
            self.phase.kept_waiting.append((time.perf_counter() - started) * 1e3 - 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=300_000)
    parser.add_argument("--cache", type=Path, help="keep the photographs' embeddings here and use them again")
    parser.add_argument("--scratch", type=Path, help="where catalog and index are made (a temporary folder in it)")
    parser.add_argument(
        "--held-share", type=float, default=EdgeLimits().held_share, help="see `stores.index_held_share`"
    )
    given = parser.parse_args()
    logging.basicConfig(level="INFO", format="  %(message)s")  # what the longest stop was for
    with tempfile.TemporaryDirectory(prefix="growth-", dir=given.scratch) as name:
        scratch = Path(name)
        base = photographs(given.cache or scratch)
        catalog = made(base, given.pictures, scratch)
        questions = asked(base, catalog, scratch / "scores.npy", ASKED_EACH)
        apart(fill_only, scratch, scratch / Edge.name)
        limits = EdgeLimits(held_share=given.held_share, growth=GrowthLimits(look_seconds=86_400))
        store = EdgeStore.open(scratch / Edge.name, limits)
        try:
            measure(store, catalog, questions)
        finally:
            store.close()


def fill_only(data: Path, folder: Path) -> None:
    Edge(opened(data), folder).fill()


def measure(store: EdgeStore, catalog: Catalog, questions: Questions) -> None:
    print(f"{len(catalog.vectors)} pictures; a search after another, a product written every {WRITES_EVERY_SECONDS} s")
    print(
        f"  {'':8} {'':8}"
        + "".join(f"   {name:>7}     p50     p99     max" for name in ("search", "write", "sleep"))
        + "     pages"
    )
    load = Load(store, catalog, questions)
    with load.running():
        time.sleep(ASIDE_SECONDS)
        before = load.phase
        print(before.line(), flush=True)
        load.phase = Phase("building")
        grown = store.grow()
        print(load.phase.line(), flush=True)
        load.phase = Phase("after")
        time.sleep(ASIDE_SECONDS)
        print(load.phase.line(), flush=True)
    assert grown, "no graph was built; the log says why"
    stale = sum(not is_new(store, product_id(number)) for number in range(load.written))
    missing = len(catalog.vectors) - store.count()
    print(f"  {load.written} products written, {stale} of them not in the index; {missing} points missing")


def is_new(store: EdgeStore, name: str) -> bool:
    """Whether the index has the product with its new price."""
    new = Filter(must=(AnyOf("product_id", (name,)), Between("price", gte=PRICE, lte=PRICE)))
    return store.count_products(MERCHANT, new) == 1


if __name__ == "__main__":
    main()
