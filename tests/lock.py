"""How often a thread waits for Python's lock."""

import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

PASSES = 10


@contextmanager
def busy_thread() -> Iterator[None]:
    """Another thread that gives Python's lock away only when it has to."""
    ended = False

    def work() -> None:
        while not ended:
            sum(range(1_000))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended = True
        thread.join()


def waits(work: Callable[[], object]) -> int:
    """How often this thread gave its core away to wait, in ten runs after a first one. Counted on Linux only."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # several would wait for each other, too
    try:
        work()
        before = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
        for _ in range(PASSES):
            work()
        return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw - before
    finally:
        torch.set_num_threads(threads)
