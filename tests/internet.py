"""An internet of names and public addresses in which hosts on loopback are found."""

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

PUBLIC = "93.184.216.34"  # a public address; in tests nothing is ever sent there


class ClaimedSocket(socket.socket):
    """A socket to loopback that says it is connected to where the caller wanted to go."""

    claimed: tuple[str, int] = ("", 0)

    def getpeername(self) -> tuple[str, int]:
        return self.claimed


@dataclass
class Internet:
    """Names and addresses for a fetcher's `resolve` and `connect`: what is public here leads to hosts on loopback.

    `names`: the answers to a name's first lookup, its second, and so on; the last one stays. `routes`: address -> port
    on loopback. Every lookup and every connection tried is noted, so a test can see that there was none.
    """

    names: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict)
    routes: dict[str, int] = field(default_factory=dict)
    lookups: list[str] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)

    def resolve(self, host: str) -> Sequence[str]:
        self.lookups.append(host)
        answers = self.names.get(host)
        if answers is None:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return answers[min(self.lookups.count(host), len(answers)) - 1]

    def connect(self, address: str, port: int, seconds: float) -> socket.socket:
        self.tried.append(address)
        if address not in self.routes:
            raise ConnectionRefusedError(f"nothing answers at {address}")
        sock = ClaimedSocket(socket.AF_INET, socket.SOCK_STREAM)
        sock.claimed = (address, port)
        sock.settimeout(seconds)
        sock.connect(("127.0.0.1", self.routes[address]))
        return sock
