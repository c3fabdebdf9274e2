from collections import Counter
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from backend.domain.fairness import Turns, after, shares

MERCHANTS = st.sampled_from(["a", "b", "c", "d", "e"])
WAITING = st.dictionaries(MERCHANTS, st.integers(0, 50))
WEIGHTS = st.dictionaries(MERCHANTS, st.integers(1, 5))
PASSES = st.dictionaries(MERCHANTS, st.floats(0, 100))


def over_time(
    rounds: int, waiting: Mapping[str, int], weights: Mapping[str, int], *, limit: int = 4, turns: Turns | None = None
) -> Counter[str]:
    """Who had how many turns, when everybody goes on waiting."""
    turns, had = turns or Turns(), Counter[str]()
    for _ in range(rounds):
        taken = shares(turns, waiting, weights, limit)
        turns = after(turns, waiting, weights, taken)
        had += Counter(taken)
    return had


@given(WAITING, WEIGHTS, PASSES, st.integers(0, 100))
def test_no_turn_is_given_away_and_none_is_wasted(
    waiting: dict[str, int], weights: dict[str, int], passes: dict[str, float], limit: int
) -> None:
    slots = shares(Turns(0.0, passes), waiting, weights, limit)
    assert sum(slots.values()) == min(limit, sum(waiting.values()))
    assert all(0 < count <= waiting[merchant] for merchant, count in slots.items())


def test_merchants_who_all_wait_share_by_their_weights() -> None:
    assert over_time(100, {"a": 99, "b": 99, "c": 99}, {"a": 2}) == {"a": 200, "b": 100, "c": 100}


def test_a_weight_below_one_counts_as_one() -> None:
    assert over_time(10, {"a": 99, "b": 99}, {"a": 0, "b": -3}) == {"a": 20, "b": 20}


@given(WEIGHTS, st.integers(1, 7))
def test_nobody_ever_falls_behind_by_more_than_a_turn(weights: dict[str, int], limit: int) -> None:
    merchants = ["a", "b", "c", "d", "e"]
    had = over_time(50, dict.fromkeys(merchants, 99), weights, limit=limit)
    ideal = [had[merchant] / weights.get(merchant, 1) for merchant in merchants]
    assert max(ideal) - min(ideal) <= 1 + 1e-6


def test_a_few_are_served_whole_beside_a_crowd() -> None:
    assert shares(Turns(), {"crowd": 100_000, "few": 5}, {}, 32) == {"crowd": 27, "few": 5}


def test_who_was_idle_comes_back_at_the_virtual_time() -> None:
    turns = after(Turns(), {"busy"}, {}, {"busy": 1_000})
    assert shares(turns, {"busy": 99, "idle": 99}, {}, 10) == {"busy": 5, "idle": 5}


def test_who_was_idle_for_a_while_only_still_owes_what_it_took() -> None:
    turns = after(Turns(), {"a", "b"}, {}, {"a": 8})
    assert turns == Turns(0.0, {"a": 8.0})
    assert shares(turns, {"a": 99, "b": 99}, {}, 10) == {"b": 9, "a": 1}


def test_the_order_is_that_of_the_first_turns() -> None:
    turns = Turns(0.0, {"a": 2.0, "b": 1.0})
    assert list(shares(turns, {"a": 9, "b": 9, "c": 9}, {}, 9)) == ["c", "b", "a"]


def test_only_merchants_ahead_of_the_virtual_time_are_remembered() -> None:
    turns = after(Turns(5.0, {"a": 7.0, "gone": 5.5}), {"a", "b"}, {}, {"b": 4})
    assert turns == Turns(7.0, {"b": 9.0})


@given(WAITING, WEIGHTS, PASSES, st.integers(0, 40))
def test_the_virtual_time_never_goes_back(
    waiting: dict[str, int], weights: dict[str, int], passes: dict[str, float], limit: int
) -> None:
    turns = Turns(10.0, passes)
    then = after(turns, waiting, weights, shares(turns, waiting, weights, limit))
    assert then.virtual_time >= turns.virtual_time
    assert all(at > then.virtual_time for at in then.passes.values())
