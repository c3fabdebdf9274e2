"""Random interleavings of writers, workers, crashes and expired leases against the real use cases.

After every schedule each product must be in the index exactly as its last accepted row says. The same schedules run
against an index without conditional writes and tombstones, to show that they find what those protect from.
"""

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from threading import BoundedSemaphore
from typing import Any

import numpy as np
import pytest

from backend.domain.payload import Payload
from backend.domain.picture import PictureFacts, Pixels
from backend.domain.product import ProductKey
from backend.domain.reconciling import wanted_hashes
from backend.domain.work import Work
from backend.errors import ProductNotFound
from backend.ports import Point, Tombstone
from backend.settings import Settings, WorkerSettings
from backend.usecases.breaker import Breaker
from backend.usecases.crew import Crew
from backend.usecases.embed_pictures import EmbedPictures
from backend.usecases.keep_pictures import Upload
from backend.usecases.solitude import Solitude
from tests.factories import product
from tests.fakes.vector_store import FakeVectorStore
from tests.house import House

KEYS = [ProductKey("shop", "p1"), ProductKey("shop", "p2")]
PICTURES = [b"red", b"green", b"blue"]
WORKERS = 3
CHANGES = 6
CRASHES = 0.04  # of all steps
EXPIRIES = 0.06
SCHEDULES = 300
FIRST_WRONG = 900


class Killed(BaseException):
    """SIGKILL: nothing of the worker's own runs after it."""


class Stage:
    """Lets one actor at a time take one step; a step ends before and after every call to the outside."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._turns: dict[str, threading.Semaphore] = {}
        self._back = threading.Semaphore(0)
        self._kill: set[str] = set()
        self._names = threading.local()
        self.over = False

    def step(self) -> None:
        """Called by an actor: wait for the next turn. Raises `Killed` when this was the end of a worker."""
        name = getattr(self._names, "name", None)
        if name is None or self.over:
            return
        self._back.release()
        self._turns[name].acquire()
        if name in self._kill:
            self._kill.discard(name)
            raise Killed

    def play(self, actors: dict[str, Callable[[], None]], between: Callable[[], None]) -> None:
        """Until every actor is done. Workers may be killed at any step."""
        threads = {}
        for name, act in actors.items():
            self._turns[name] = threading.Semaphore(0)
            threads[name] = threading.Thread(target=self._run, args=(name, act))
        for name, thread in threads.items():
            thread.start()
            self._back.acquire()
            assert name in self._turns
        while self._turns:
            name = self._rng.choice(sorted(self._turns))
            if name.startswith("worker") and self._rng.random() < CRASHES:
                self._kill.add(name)
            between()
            self._turns[name].release()
            self._back.acquire()
        for thread in threads.values():
            thread.join()

    def _run(self, name: str, act: Callable[[], None]) -> None:
        self._names.name = name
        try:
            self.step()
            act()
        except Killed:
            pass  # killed before it had begun
        finally:
            del self._turns[name]
            self._back.release()


class Staged:
    """A port whose every call is two steps: it may come late, and its answer may never arrive."""

    def __init__(self, part: object, stage: Stage) -> None:
        self._part = part
        self._stage = stage

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._part, name)
        if not callable(method):
            return method

        def call(*given: Any, **named: Any) -> Any:
            self._stage.step()
            answer = method(*given, **named)
            self._stage.step()
            return answer

        return call


class PlainReader:
    """One colour per picture: nothing to decode."""

    def inspect(self, data: bytes) -> PictureFacts:
        return PictureFacts("JPEG", 32, 32)

    def decode(self, data: bytes, min_side: int) -> Pixels:
        return np.full((32, 32, 3), data[0], np.uint8)

    def thumbnail(self, data: bytes, width: int) -> bytes:
        return data


class CarelessIndex(FakeVectorStore):
    """Takes whatever comes last, and removes points without a trace: the index as engines have it by default."""

    def upsert(self, points: Sequence[Point]) -> None:
        for point in points:
            self._points.pop(point.point_id, None)
        super().upsert(points)

    def set_facts(self, key: ProductKey, facts: Payload, *, image: str | None = None) -> None:
        for stored in self._all():
            if stored.key == key:
                stored.payload["version"] = 0
        super().set_facts(key, facts, image=image)

    def bury(self, tombstones: Sequence[Tombstone]) -> None:
        super().bury(tombstones)
        self._points = {name: stored for name, stored in self._points.items() if stored.buried_at is None}


@dataclass
class Theatre:
    """A house whose workers are separate processes on one stage."""

    seed: int
    careless: bool = False
    rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.stage = Stage(self.rng)
        self.house = House(Settings(worker=WorkerSettings(max_attempts=10_000)))
        if self.careless:
            self.house.vectors = CarelessIndex(self.house.embedder.space)
        keep = replace(self.house.services.upload_product.keep_pictures, reader=PlainReader())
        self.upload = replace(self.house.services.upload_product, keep_pictures=keep)
        self.writing = True

    def play(self) -> None:
        workers = {f"worker{number}": self.work for number in range(WORKERS)}
        self.stage.play({"merchant": self.write, **workers}, self.let_time_pass)
        self.stage.over = True
        self.house.clock.advance(61)
        self.house.services.sweep()
        self.process()
        while self.house.catalog.due():
            for work in (Work.FACTS, Work.UPLOADS):
                self.process()(work)

    def let_time_pass(self) -> None:
        if self.rng.random() < EXPIRIES:
            self.house.clock.advance(61)
            self.house.catalog.return_leases()

    def write(self) -> None:
        try:
            for _ in range(CHANGES):
                self.stage.step()
                self.change(self.rng.choice(KEYS))
        finally:
            self.writing = False

    def change(self, key: ProductKey) -> None:
        kind = self.rng.random()
        try:
            if kind < 0.25:
                self.house.services.delete_product(key)
            elif kind < 0.45:
                self.house.services.patch_product(key, {"title": str(self.rng.random())})
            else:
                chosen = self.rng.sample(PICTURES, self.rng.randint(1, 2))
                uploads = [Upload("a", lambda data=data: data) for data in chosen]  # type: ignore[misc]
                self.upload(product(key.product_id, title=str(self.rng.random())), uploads)
        except ProductNotFound:
            pass

    def work(self) -> None:
        idle = 0
        while self.writing or idle < 2:
            try:
                process = self.process()
                while self.writing or idle < 2:
                    self.stage.step()
                    settled = process(Work.FACTS) + process(Work.UPLOADS)
                    idle = 0 if settled else idle + 1
            except Killed:
                continue  # the supervisor starts it anew

    def process(self) -> Callable[[Work], int]:
        """A worker process: what it holds in memory dies with it."""
        house, stage = self.house, self.stage
        vectors, catalog = Staged(house.vectors, stage), Staged(house.catalog, stage)
        built = house.services.reconcile_products
        crews = {  # of its own
            work: Crew(work, catalog, BoundedSemaphore(1), Breaker(work, house.clock), Solitude(), crew.lease_seconds)
            for work, crew in built.crews.items()
        }
        embed = EmbedPictures(Staged(house.blobs, stage), PlainReader(), house.embedder, vectors, batch=8)
        return replace(
            built, crews=crews, catalog=catalog, ledger=catalog, vectors=vectors, embed=embed, doorbell=house.doorbell
        )

    def wrong(self) -> list[str]:
        """What of the index disagrees with the catalog."""
        found = []
        for record in self.house.catalog.products(KEYS):
            key = record.product.key
            stored = {it.payload["image"]: it.payload for it in self.house.vectors._all() if it.key == key}
            wanted = set() if record.deleted else set(wanted_hashes(record))
            if stored.keys() != wanted:
                found.append(f"{key.product_id}: pictures {sorted(map(str, stored))} instead of {sorted(wanted)}")
            found += [
                f"{key.product_id}: an old title" for it in stored.values() if it["title"] != record.product.title
            ]
            leading = [it for it in stored.values() if it.get("lead") == 1]
            if len(leading) != bool(stored):
                found.append(f"{key.product_id}: {len(leading)} points lead it")
            if record.code:
                found.append(f"{key.product_id}: failed with {record.code}")
        return found


@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.slow) for part in range(1, 5))])
def test_every_product_ends_as_its_last_row_says_whatever_the_order(part: int) -> None:
    for seed in range(part * SCHEDULES, (part + 1) * SCHEDULES):
        theatre = Theatre(seed)
        theatre.play()
        assert theatre.wrong() == [], f"seed {seed}"


def test_without_conditional_writes_such_schedules_go_wrong() -> None:
    """About one in 450: looking again after the writing hides the most of it. Hence not from the first on."""
    for seed in range(FIRST_WRONG, FIRST_WRONG + SCHEDULES):
        theatre = Theatre(seed, careless=True)
        theatre.play()
        if theatre.wrong():
            return
    pytest.fail(f"{SCHEDULES} schedules found nothing wrong with an index that takes whatever comes last")
