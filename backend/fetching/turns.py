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

        Both are marked as no try of the address; but once the pause is the longest, the host was asked in vain for so
        long that it stands for all its addresses: thousands of them would otherwise wait for days to be asked singly.

        A transient error from within counts as a failure of the host, anything else as a sign of life. Being too slow
        is the host's failure only if it had half of the time, and tells nothing otherwise: the rest may have gone to
        hosts that redirected here.
        """
        first = self._enter(host)
        began = self._clock()
        failed: bool | None = False
        try:
            yield
        except UnfetchablePicture as err:
            failed = err.transient
            hasty = isinstance(err, UrlTooSlow) and self._clock() - began < self._deadline.seconds / 2
            if hasty or not err.tried:
                failed = None
            raise
        finally:
            self._leave(host, failed=failed, first=first)

    def _enter(self, name: str) -> bool:
        """Whether this is the first turn after a pause."""
        with self._changed:
            host = self._free(name)
            host.active += 1
            first = host.failures >= self._patience
            if first:
                host.paused_until = self._clock() + self._deadline.seconds
            return first

    def _free(self, name: str) -> _Host:
        """The host, once it has a turn to give."""
        while True:
            host = self._known(name)
            pause = host.paused_until - self._clock()
            if pause > 0:
                given_up = self._pause_after(host.failures) >= self._longest_pause
                refusal = UrlBroken(f"the host failed repeatedly and is left alone for {pause:.0f} s")
                raise refusal if given_up else untried(refusal)
            if host.active < self._per_host:
                return host
            with self._deadline.waiting() as seconds:
                if seconds <= 0:
                    raise untried(UrlTooSlow("too many pictures were wanted from the host at once"))
                self._changed.wait(seconds)

    def _leave(self, name: str, *, failed: bool | None, first: bool) -> None:
        """`failed` None: the turn told nothing about the host; if it was the first, the next one is."""
        with self._changed:
            host = self._hosts[name]
            host.active -= 1
            now = self._clock()
            if failed is None:
                host.paused_until = now if first else host.paused_until
            elif not failed:
                host.failures, host.paused_until = 0, 0.0
            elif first or host.paused_until <= now:  # what was under way when the pause began does not prolong it
                host.failures += 1
                if host.failures >= self._patience:
                    host.paused_until = now + self._pause_after(host.failures)
            if not host.active and not host.failures:
                del self._hosts[name]
            self._changed.notify_all()

    def _pause_after(self, failures: int) -> float:
        """Seconds; meaningless before the patience is at its end."""
        return min(self._longest_pause, self._first_pause * 2.0 ** min(failures - self._patience, 20))

    def _known(self, name: str) -> _Host:
        if name not in self._hosts and len(self._hosts) >= self._max_hosts:
            idle = next((known for known, host in self._hosts.items() if not host.active), None)
            if idle is not None:
                del self._hosts[idle]
        self._hosts.setdefault(name, _Host())
        self._hosts.move_to_end(name)
        return self._hosts[name]


def untried(err: UnfetchablePicture) -> UnfetchablePicture:
    """The same error, marked as no try of the address: its host was not asked, for reasons on this side."""
    err.tried = False
    return err
