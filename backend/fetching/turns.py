"""Turns of hosts: so many fetches from one at once, and a pause for one that keeps failing."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from backend.errors import UnfetchablePicture, UrlBroken, UrlTooSlow
from backend.fetching.deadline import Deadline


@dataclass(slots=True)
class _Host:
    """`failures`: in a row. Nothing is asked of the host before `paused_until`."""

    active: int = 0
    failures: int = 0
    paused_until: float = 0.0


class Turns:
    """A host that is slow or down must not hold all threads: it has few turns, and none for a while after failing.

    Once a pause is over one fetch goes first, and the others wait for what becomes of it.
    """

    def __init__(
        self,
        deadline: Deadline,
        *,
        per_host: int,
        patience: int = 5,
        first_pause_seconds: float = 2.0,
        longest_pause_seconds: float = 30.0,
        max_hosts: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`patience`: failures in a row before a pause, which doubles with each further one.

        `max_hosts`: how many are remembered; those heard of longest ago are forgotten first.
        """
        self._deadline = deadline
        self._per_host = per_host
        self._patience = patience
        self._first_pause = first_pause_seconds
        self._longest_pause = longest_pause_seconds
        self._max_hosts = max_hosts
        self._clock = clock
        self._hosts: OrderedDict[str, _Host] = OrderedDict()
        self._changed = threading.Condition()

    def __len__(self) -> int:
        """How many hosts are remembered: those in use and those that failed."""
        return len(self._hosts)

    @contextmanager
    def turn(self, host: str) -> Iterator[None]:
        """Wait for a turn and use it. Raises `UrlTooSlow` when none came in time, `UrlBroken` while the host is paused.

        A transient error from within counts as a failure of the host, anything else as a sign of life. Being too slow
        is the host's failure only if it had half of the time: the rest may have gone in waiting or in other hosts.
        """
        first = self._enter(host)
        began = self._clock()
        failed = False
        try:
            yield
        except UnfetchablePicture as err:
            had_time = self._clock() - began >= self._deadline.seconds / 2
            failed = err.transient and (had_time or not isinstance(err, UrlTooSlow))
            raise
        finally:
            self._leave(host, failed=failed, first=first)

    def _enter(self, name: str) -> bool:
        """Whether this is the first turn after a pause."""
        with self._changed:
            while True:
                host = self._known(name)
                pause = host.paused_until - self._clock()
                if pause > 0:
                    raise UrlBroken(f"the host failed repeatedly and is left alone for {pause:.0f} s")
                if host.active < self._per_host:
                    break
                self._changed.wait(self._deadline.left())
            host.active += 1
            first = host.failures >= self._patience
            if first:
                host.paused_until = self._clock() + self._deadline.seconds
            return first

    def _leave(self, name: str, *, failed: bool, first: bool) -> None:
        with self._changed:
            host = self._hosts[name]
            host.active -= 1
            now = self._clock()
            if not failed:
                host.failures, host.paused_until = 0, 0.0
            elif first or host.paused_until <= now:  # what was under way when the pause began does not prolong it
                host.failures += 1
                doublings = host.failures - self._patience
                if doublings >= 0:
                    host.paused_until = now + min(self._longest_pause, self._first_pause * 2 ** min(doublings, 20))
            if not host.active and not host.failures:
                del self._hosts[name]
            self._changed.notify_all()

    def _known(self, name: str) -> _Host:
        if name not in self._hosts and len(self._hosts) >= self._max_hosts:
            idle = next((known for known, host in self._hosts.items() if not host.active), None)
            if idle is not None:
                del self._hosts[idle]
        self._hosts.setdefault(name, _Host())
        self._hosts.move_to_end(name)
        return self._hosts[name]
