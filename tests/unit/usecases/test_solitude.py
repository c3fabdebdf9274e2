"""Many beside each other, or one alone."""

import threading
from concurrent.futures import ThreadPoolExecutor

from backend.usecases.solitude import Solitude


def test_many_work_among_others() -> None:
    solitude = Solitude()
    with solitude.among_others(), ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: solitude.among_others().__enter__()).result(10) is None


def test_who_waits_to_be_alone_keeps_newcomers_out_and_is_not_kept_waiting_by_them() -> None:
    solitude, order = Solitude(), []
    waiting = threading.Event()

    def alone() -> None:
        waiting.set()
        with solitude.alone():
            order.append("alone")

    def newcomer() -> None:
        with solitude.among_others():
            order.append("newcomer")

    with ThreadPoolExecutor(2) as pool:
        with solitude.among_others():
            first = pool.submit(alone)
            assert waiting.wait(10)
            while not solitude._taken:  # it waits for this thread now
                pass
            second = pool.submit(newcomer)
        first.result(10)
        second.result(10)
    assert order == ["alone", "newcomer"]


def test_two_that_want_to_be_alone_follow_each_other() -> None:
    solitude, inside = Solitude(), []

    def alone() -> int:
        with solitude.alone():
            inside.append(1)
            most = len(inside)
            inside.pop()
            return most

    with ThreadPoolExecutor(4) as pool:
        assert [future.result(10) for future in [pool.submit(alone) for _ in range(50)]] == [1] * 50
