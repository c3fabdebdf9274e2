import threading
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from backend.domain.picture import Vectors
from backend.embedding.threads import on_its_share


def threads_seen(threads: int, passes: int) -> int:
    """By a pass in a thread of its own, as callers are."""
    seen: list[int] = []

    def run(inputs: Sequence[int]) -> Vectors:
        seen.append(torch.get_num_threads())
        return np.zeros((1, 1), np.float32)

    caller = threading.Thread(target=lambda: on_its_share(run, threads)([1], passes))
    caller.start()
    caller.join(10)
    return seen[0]


@pytest.mark.parametrize(("threads", "passes", "share"), [(4, 1, 4), (4, 2, 2), (4, 3, 1), (2, 1, 2), (1, 5, 1)])
def test_a_pass_has_its_part_of_the_threads(threads: int, passes: int, share: int) -> None:
    assert threads_seen(threads, passes) == share


def test_another_callers_share_is_left_alone() -> None:
    before = torch.get_num_threads()
    assert threads_seen(before + 3, 1) == before + 3
    assert torch.get_num_threads() == before
