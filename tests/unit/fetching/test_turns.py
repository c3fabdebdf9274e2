"""Turns of hosts, on a clock that moves when it is told to."""

import threading
import time

import pytest

from backend import errors
from backend.fetching.deadline import Deadline
from backend.fetching.turns import Turns


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def turns(clock: Clock) -> Turns:
    deadline = Deadline(10)
    deadline.begin()
    return Turns(deadline, per_host=2, clock=clock, max_hosts=3)


def use(turns: Turns, error: Exception | None = None, *, host: str = "slow.example", seconds: float = 0) -> None:
    """One turn that takes so long and ends in this error."""
    with turns.turn(host):
        clock = turns._clock
        assert isinstance(clock, Clock)
        clock.now += seconds
        if error is not None:
            raise error


def fail(turns: Turns, times: int, *, host: str = "slow.example") -> None:
    for _ in range(times):
        with pytest.raises(errors.UrlUnreachable):
            use(turns, errors.UrlUnreachable(), host=host)


def paused(turns: Turns, host: str = "slow.example") -> bool:
    try:
        use(turns, host=host)
    except errors.UrlBroken as err:
        return "left alone" in err.detail
    return False


def test_a_host_is_paused_after_five_failures_in_a_row(turns: Turns) -> None:
    fail(turns, 5)
    assert paused(turns)
    assert not paused(turns, "other.example")


def test_a_success_between_failures_starts_the_count_anew(turns: Turns) -> None:
    fail(turns, 4)
    use(turns)
    fail(turns, 4)
    assert not paused(turns)


def test_pauses_double_up_to_half_a_minute(turns: Turns, clock: Clock) -> None:
    fail(turns, 5)
    for seconds in (2, 4, 8, 16, 30, 30):
        clock.now += seconds - 0.5
        assert paused(turns)
        clock.now += 0.5
        fail(turns, 1)
    clock.now += 30
    assert not paused(turns)
    assert len(turns) == 0


def test_after_a_pause_one_fetch_goes_first(turns: Turns, clock: Clock) -> None:
    fail(turns, 5)
    clock.now += 2
    with turns.turn("slow.example"):
        assert paused(turns)
    assert not paused(turns)


def test_a_refusal_is_a_sign_of_life(turns: Turns) -> None:
    fail(turns, 4)
    with pytest.raises(errors.UrlRefused):
        use(turns, errors.UrlRefused())
    fail(turns, 4)
    assert not paused(turns)


def too_slow(turns: Turns, seconds: float) -> None:
    with pytest.raises(errors.UrlTooSlow):
        use(turns, errors.UrlTooSlow(), seconds=seconds)


def test_being_too_slow_counts_only_for_a_host_that_had_the_time(turns: Turns) -> None:
    for seconds in (1, 1, 1, 1, 1, 1):
        too_slow(turns, seconds)
    assert not paused(turns)
    for seconds in (5, 6, 7, 8, 9):
        too_slow(turns, seconds)
    assert paused(turns)


def test_being_too_slow_without_the_time_is_no_sign_of_life_either(turns: Turns) -> None:
    fail(turns, 4)
    too_slow(turns, 4)
    fail(turns, 1)
    assert paused(turns)


def test_a_first_fetch_that_tells_nothing_lets_another_go_first(turns: Turns, clock: Clock) -> None:
    fail(turns, 5)
    clock.now += 2
    too_slow(turns, 4)
    fail(turns, 1)
    clock.now += 3
    assert paused(turns)


def test_what_is_refused_in_a_pause_was_no_try_until_the_host_is_given_up(turns: Turns, clock: Clock) -> None:
    fail(turns, 5)
    for seconds in (2, 4, 8, 16, 30):
        with pytest.raises(errors.UrlBroken, match="left alone") as refused:
            use(turns)
        assert refused.value.tried == (seconds == 30)
        clock.now += seconds
        fail(turns, 1)


def test_what_was_under_way_when_a_pause_began_does_not_prolong_it(turns: Turns, clock: Clock) -> None:
    def fail_after_the_others() -> None:
        with turns.turn("slow.example"):
            fail(turns, 5)
            raise errors.UrlBroken

    with pytest.raises(errors.UrlBroken):
        fail_after_the_others()
    clock.now += 2
    assert not paused(turns)


def test_only_a_bounded_number_of_hosts_is_remembered(turns: Turns) -> None:
    for number in range(20):
        fail(turns, 1, host=f"host{number}.example")
    assert len(turns) == 3


def test_a_host_in_use_is_not_forgotten(turns: Turns) -> None:
    with turns.turn("busy.example"):
        for number in range(20):
            fail(turns, 1, host=f"host{number}.example")
        assert "busy.example" in turns._hosts


def test_waiting_for_a_turn_in_vain_was_no_try() -> None:
    deadline = Deadline(0.1)
    deadline.begin()
    turns = Turns(deadline, per_host=1)
    with turns.turn("busy.example"):
        for _ in range(2):
            with pytest.raises(errors.UrlTooSlow) as refused, turns.turn("busy.example"):
                pytest.fail("two turns at once")
            assert not refused.value.tried


def test_waiting_for_a_turn_does_not_take_from_the_time_for_the_picture() -> None:
    deadline = Deadline(30)
    turns = Turns(deadline, per_host=1)
    busy = threading.Event()

    def use_it_for_a_while() -> None:
        with turns.turn("busy.example"):
            busy.set()
            time.sleep(0.2)

    deadline.begin()
    thread = threading.Thread(target=use_it_for_a_while)
    thread.start()
    assert busy.wait(10)
    before = deadline.left()
    with turns.turn("busy.example"):
        assert before - deadline.left() < 0.15
    thread.join()
