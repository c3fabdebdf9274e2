"""Names -> IP addresses that may be connected to. One lookup, and every answer has to pass."""

import contextlib
import ipaddress
import socket
import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Final

from backend.errors import UrlTooSlow, UrlUnreachable
from backend.fetching.deadline import Deadline
from backend.fetching.special_networks import IPAddress, is_public
from backend.fetching.turns import untried

Resolve = Callable[[str], Sequence[str]]
"""A host's name -> its addresses as text. Raises `OSError` or `UnicodeError` when there are none."""

MAX_LOOKUPS: Final = 64  # at once: those a dead name server holds up end by themselves after half a minute or so

UNREACHABLE: Final = "the host does not resolve to public addresses or does not answer"
"""One text for all the ways: which of them it was would tell a caller what there is inside the server's network."""


def system_addresses(host: str) -> list[str]:
    """What the system's resolver says, in the order it advises (RFC 6724)."""
    return [str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]


class Lookup:
    """Looks names up within a deadline, which `getaddrinfo` itself does not know."""

    def __init__(self, deadline: Deadline, *, resolve: Resolve, allow_private: bool) -> None:
        self._deadline = deadline
        self._resolve = resolve
        self._allow_private = allow_private
        self._free = threading.BoundedSemaphore(MAX_LOOKUPS)

    def addresses(self, host: str) -> list[IPAddress]:
        """At least one; a host that is an IP address is its own. Raises `UrlUnreachable`, `UrlTooSlow`.

        One answer that is not public spoils all: which one a connection takes is not to be left to chance.
        """
        with contextlib.suppress(ValueError):
            return self._admitted([host])
        if not self._free.acquire(timeout=self._deadline.left()):
            raise untried(UrlTooSlow("too many other hosts were being looked up"))
        answer: SimpleQueue[Sequence[str] | Exception] = SimpleQueue()
        try:
            threading.Thread(target=self._look_up, args=(host, answer), name="lookup", daemon=True).start()
        except RuntimeError as err:  # as many threads as the system allows
            self._free.release()
            raise untried(UrlTooSlow("the host could not be looked up")) from err
        try:
            found = answer.get(timeout=self._deadline.left())
        except Empty as err:
            raise self._deadline.missed() from err
        if isinstance(found, Exception):
            raise UrlUnreachable(UNREACHABLE) from found
        try:
            return self._admitted(found)
        except ValueError as err:
            raise UrlUnreachable(UNREACHABLE) from err

    def _look_up(self, host: str, answer: "SimpleQueue[Sequence[str] | Exception]") -> None:
        try:
            answer.put(self._resolve(host))
        except (OSError, UnicodeError) as err:
            answer.put(err)
        finally:
            self._free.release()

    def _admitted(self, texts: Sequence[str]) -> list[IPAddress]:
        addresses = [ipaddress.ip_address(text) for text in texts]
        if not addresses or not (self._allow_private or all(is_public(address) for address in addresses)):
            raise UrlUnreachable(UNREACHABLE)
        return list(dict.fromkeys(addresses))
