"""Who goes through the model together. The model here takes as long as the test says."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from backend.domain.picture import Vectors
from backend.embedding.passes import Passes


class Model:
    """Gives each number back as a row of two. `hold()` keeps passes inside until `let_go()`."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds = seconds
        self.passes: list[list[int]] = []
        self.told: list[int] = []
        self.most_at_once = 0
        self._inside = 0
        self._gate = threading.Event()
        self._gate.set()
        self._lock = threading.Lock()
        self.entered = threading.Semaphore(0)

    def hold(self) -> None:
        self._gate.clear()

    def let_go(self) -> None:
        self._gate.set()

    def __call__(self, inputs: Sequence[int], under_way: int) -> Vectors:
        with self._lock:
            self.passes.append(list(inputs))
            self.told.append(under_way)
            self._inside += 1
            self.most_at_once = max(self.most_at_once, self._inside)
        self.entered.release()
        assert self._gate.wait(10)
        time.sleep(self._seconds)
        with self._lock:
            self._inside -= 1
        if -1 in inputs:
            raise ValueError("a kernel broke")
        return np.array([[number, number] for number in inputs], np.float32)


@pytest.fixture
def model() -> Model:
    return Model()


def until(holds, seconds: float = 10.0) -> None:  # type: ignore[no-untyped-def]
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.001)


def test_who_asks_alone_goes_alone_and_at_once(model: Model) -> None:
    passes = Passes(model, largest=8, window_seconds=60)  # the test would hang if it waited for company
    for number in range(3):
        assert passes([number]).tolist() == [[number, number]]
    assert model.passes == [[0], [1], [2]]


def test_who_waits_at_the_same_moment_goes_together(model: Model) -> None:
    passes = Passes(model, largest=8)
    model.hold()
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(passes, [0])
        assert model.entered.acquire(timeout=10)
        others = [pool.submit(passes, [number]) for number in range(1, 9)]
        until(lambda: len(passes._waiting) == 8)
        model.let_go()
        assert [future.result(10).tolist() for future in [first, *others]] == [[[n, n]] for n in range(9)]
    assert sorted(map(len, model.passes)) == [1, 8]


def test_a_batch_goes_in_parts_and_keeps_its_order(model: Model) -> None:
    passes = Passes(model, largest=4)
    assert passes(list(range(10)))[:, 0].tolist() == list(range(10))
    assert list(map(len, model.passes)) == [4, 4, 2]


def test_a_search_does_not_wait_for_an_imports_pass(model: Model) -> None:
    passes = Passes(model, largest=2)
    model.hold()
    with ThreadPoolExecutor(2) as pool:
        batch = pool.submit(passes, list(range(100, 110)))
        assert model.entered.acquire(timeout=10)
        search = pool.submit(passes, [7])
        assert model.entered.acquire(timeout=10)  # while the other is still inside
        model.let_go()
        assert search.result(10).tolist() == [[7, 7]]
        assert len(batch.result(10)) == 10


def test_a_pass_is_told_how_many_are_under_way(model: Model) -> None:
    passes = Passes(model, largest=2)
    passes([1])
    model.hold()
    with ThreadPoolExecutor(2) as pool:
        batch = pool.submit(passes, [1, 2])
        assert model.entered.acquire(timeout=10)
        assert model.entered.acquire(timeout=10)
        search = pool.submit(passes, [7])
        assert model.entered.acquire(timeout=10)
        model.let_go()
        search.result(10), batch.result(10)
    passes([3])
    assert model.told == [1, 1, 2, 1]


def test_an_import_gets_somewhere_beside_searches_without_end(model: Model) -> None:
    passes = Passes(model, largest=2)
    over = threading.Event()

    def search() -> None:
        while not over.is_set():
            passes([1])

    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            pool.submit(search)
        try:
            assert len(passes(list(range(100, 120)))) == 20
        finally:
            over.set()


def test_an_error_reaches_only_who_caused_it(model: Model) -> None:
    passes = Passes(model, largest=8)
    model.hold()
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(passes, [0])
        assert model.entered.acquire(timeout=10)
        good, bad, fine = (pool.submit(passes, [number]) for number in (1, -1, 2))
        until(lambda: len(passes._waiting) == 3)
        model.let_go()
        assert [future.result(10).tolist() for future in (first, good, fine)] == [[[0, 0]], [[1, 1]], [[2, 2]]]
        with pytest.raises(ValueError, match="a kernel broke"):
            bad.result(10)
    assert passes([5]).tolist() == [[5, 5]]


def test_a_batch_with_a_bad_part_fails_as_a_whole_and_holds_up_no_other(model: Model) -> None:
    passes = Passes(model, largest=2)
    with pytest.raises(ValueError, match="a kernel broke"):
        passes([1, -1, 3, 4, 5, 6])
    assert passes([5, 6, 7])[:, 0].tolist() == [5, 6, 7]
    assert model.passes == [[1, -1], [5, 6], [7]]


@pytest.mark.parametrize("places", [1, 2])
def test_no_more_searches_are_under_way_than_there_are_places(model: Model, places: int) -> None:
    passes = Passes(model, largest=2, places=places)
    with ThreadPoolExecutor(12) as pool:
        for n, future in enumerate([pool.submit(passes, [n]) for n in range(200)]):
            assert future.result(10).tolist() == [[n, n]]
    assert model.most_at_once <= places


@pytest.mark.parametrize("places", [1, 2])
def test_no_more_batches_are_under_way_than_there_are_places(places: int) -> None:
    model = Model(seconds=0.001)
    passes = Passes(model, largest=2, batch_places=places)
    with ThreadPoolExecutor(5) as pool:
        for n, future in enumerate([pool.submit(passes, [n, n, n]) for n in range(20)]):
            assert future.result(10)[:, 0].tolist() == [n, n, n]
    assert model.most_at_once == places


def test_callers_in_step_share_passes_though_the_first_of_them_comes_back_alone() -> None:
    """Eight that ask again as soon as they are answered: without waiting a moment, each first one would go alone."""
    model = Model(seconds=0.01)
    passes = Passes(model, largest=8, window_seconds=0.2)

    def ask(caller: int) -> None:
        for _ in range(20):
            passes([caller])

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(ask, caller) for caller in range(8)]:
            future.result(30)
    assert len(model.passes) < 160 / 4
