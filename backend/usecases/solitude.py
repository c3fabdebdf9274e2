"""Who works beside whom in this process: a product that may have ended a worker is worked on while nothing else is."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


class Solitude:
    """Many work among others, or one alone. Who waits to be alone keeps newcomers out, or it might wait for ever.

    Without it a product that ends the process would be in the company of the same others each time, and all of them
    would use up their attempts by its doing.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._working = 0
        self._taken = False

    @contextmanager
    def among_others(self) -> Iterator[None]:
        """Work beside whoever else does; waits while somebody is alone, or is about to be."""
        with self._changed:
            self._changed.wait_for(lambda: not self._taken)
            self._working += 1
        try:
            yield
        finally:
            with self._changed:
                self._working -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Work while nobody else does."""
        with self._changed:
            self._changed.wait_for(lambda: not self._taken)
            self._taken = True
            self._changed.wait_for(lambda: not self._working)
        try:
            yield
        finally:
            with self._changed:
                self._taken = False
                self._changed.notify_all()
