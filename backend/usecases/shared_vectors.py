"""Vectors that threads of one process compute for each other: each content by one of them at a time."""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from typing import NamedTuple

from backend.domain.picture import Vector
from backend.errors import ShelfsightError

Found = Vector | ShelfsightError
"""A content's vector, or why it has none."""

Promises = Mapping[str, Future[Found]]
"""Content -> what will be found."""


class Taken(NamedTuple):
    """Of the contents asked for: vectors that are kept, what the caller now has to compute, and what others do."""

    known: Mapping[str, Vector]
    mine: Promises
    theirs: Promises


class SharedVectors:
    """The latest `keep` vectors, and the contents that are under way. Safe to use from several threads.

    Whoever takes a content as its own must `publish` it or `give_up` on it, whatever happens: others wait for that.
    """

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._lock = threading.Lock()
        self._recent: OrderedDict[str, Vector] = OrderedDict()
        self._under_way: dict[str, Future[Found]] = {}

    def known(self, content: str) -> Vector | None:
        """A vector that is kept; it is then the last to be forgotten."""
        with self._lock:
            return self._known(content)

    def take(self, contents: Iterable[str]) -> Taken:
        """Divide the work: nothing is computed twice at once."""
        known: dict[str, Vector] = {}
        mine: dict[str, Future[Found]] = {}
        theirs: dict[str, Future[Found]] = {}
        with self._lock:
            for content in contents:
                if (vector := self._known(content)) is not None:
                    known[content] = vector
                elif content in self._under_way:
                    theirs[content] = self._under_way[content]
                else:
                    mine[content] = self._under_way[content] = Future()
        return Taken(known, mine, theirs)

    def publish(self, computed: Mapping[str, Found]) -> None:
        """Tell who waits. Vectors are kept, reasons are not: what refused a picture once may let it pass later."""
        with self._lock:
            for content, found in computed.items():
                if not isinstance(found, ShelfsightError):
                    self._recent[content] = found
                self._under_way.pop(content).set_result(found)
            while len(self._recent) > self._keep:
                self._recent.popitem(last=False)

    def give_up(self, mine: Promises, told: BaseException) -> None:
        """Who waits for what was not published gets `told` raised; who asks next computes it."""
        with self._lock:
            for content, future in mine.items():
                if not future.done():
                    self._under_way.pop(content)
                    future.set_exception(told)

    def _known(self, content: str) -> Vector | None:
        vector = self._recent.get(content)
        if vector is not None:
            self._recent.move_to_end(content)
        return vector
