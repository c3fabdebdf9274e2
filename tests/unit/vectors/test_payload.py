"""What may be written into an index."""

import numpy as np
import pytest

from backend.errors import ShelfsightError
from backend.vectors.payload import facts_of, query_vector, storable_facts, unit_vector


def test_booleans_are_kept_as_numbers_and_tuples_as_lists_at_every_depth() -> None:
    stored = storable_facts({"a": True, "b": (1, "x"), "c": {"d": False, "e": [True]}, "f": None, "g": 0.5})
    assert stored == {"a": 1, "b": [1, "x"], "c": {"d": 0, "e": [1]}, "f": None, "g": 0.5}
    assert type(stored["a"]) is int


def test_facts_are_copied_so_that_a_later_change_of_the_caller_changes_nothing() -> None:
    sizes = ["m"]
    stored = storable_facts({"sizes": sizes})
    sizes.append("l")
    assert stored == {"sizes": ["m"]}


FOREIGN = {
    "number as name": {1: "a"},
    "half a letter": {"\ud800": 1},
    "set": {"a"},
    "complex": 1j,
    "bytes": b"",
    "any": object(),
}


@pytest.mark.parametrize("fact", FOREIGN.values(), ids=FOREIGN)
def test_what_json_does_not_have_is_refused(fact: object) -> None:
    with pytest.raises(ShelfsightError, match="cannot"):
        storable_facts({"fact": fact})


@pytest.mark.parametrize("length", [0.9991, 1.0, 1.0009])
def test_a_length_that_rounding_explains_is_accepted(length: float) -> None:
    vector = np.full(4, 0.5 * length)
    assert unit_vector(vector.astype(np.float32), 4).dtype == np.float32


@pytest.mark.parametrize("length", [0.9, 0.998, 1.002, 17.0])
def test_a_length_that_rounding_does_not_explain_is_refused(length: float) -> None:
    with pytest.raises(ShelfsightError, match="unit length"):
        unit_vector(np.full(4, 0.5 * length, np.float32), 4)


def test_a_query_may_have_any_length_but_none() -> None:
    assert query_vector(np.full(4, 1e30, np.float32), 4).shape == (4,)
    with pytest.raises(ShelfsightError, match="direction"):
        query_vector(np.zeros(4, np.float32), 4)


def test_a_fact_that_is_none_is_absent_from_what_a_match_carries() -> None:
    assert facts_of({"a": None, "b": 0, "c": "", "d": []}) == {"b": 0, "c": "", "d": []}
