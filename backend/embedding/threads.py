"""The cores of a processor, shared out between forward passes."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from backend.domain.picture import Vectors

_T = TypeVar("_T")


def on_its_share(run: Callable[[Sequence[_T]], Vectors], threads: int) -> Callable[[Sequence[_T], int], Vectors]:
    """`run` for `passes.Passes`: with all `threads` while its pass is the only one, else with its part of them.

    Two passes of one thread each do more than two after another of two threads: no thread waits at the end of each
    layer for another one that the system has just given to the decoder.
    """

    def on_share(inputs: Sequence[_T], passes: int) -> Vectors:
        # The number holds for the calling thread, but a thread that never asked takes the one set last by any other at
        # its first question. So the question comes first.
        torch.get_num_threads()
        torch.set_num_threads(max(threads // passes, 1))
        return run(inputs)

    return on_share
