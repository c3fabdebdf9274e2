"""SIGKILL at random moments, to one process or to all, and how long it takes until the server answers again."""

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.installation import Installation

UP_SECONDS = 120.0
KINDS = {
    "server": 6,
    "server, again while it starts": 2,
    "broker": 4,
    "decoders": 7,
    "supervisor": 1,
    "all": 2,
    "all, broker wiped": 2,
}
"""How often each kind is drawn, relative to the others."""


@dataclass
class Kills:
    """What was killed, and the seconds until the server answered where it had been ended."""

    kinds: Counter[str] = field(default_factory=Counter)
    back_seconds: list[float] = field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(self.kinds.values())


class Killer:
    """Draws a victim, kills it, waits until the server answers again."""

    def __init__(self, installation: Installation, rng: random.Random, say: Callable[[str], None]) -> None:
        self._installation = installation
        self._rng = rng
        self._say = say
        self.kills = Kills()

    def run(self, until: float) -> None:
        """Kill now and then until a moment of the monotonic clock."""
        while (pause := self._rng.uniform(1, 5)) < until - time.monotonic():
            time.sleep(pause)
            [kind] = self._rng.choices(list(KINDS), list(KINDS.values()))
            started = time.monotonic()
            if not self._kill(kind):
                continue
            self.kills.kinds[kind] += 1
            self._installation.wait_until(self._installation.answers, UP_SECONDS)
            if kind not in ("broker", "decoders"):
                self.kills.back_seconds.append(time.monotonic() - started)
            self._say(f"killed {kind}; answers after {time.monotonic() - started:.1f} s")

    def _kill(self, kind: str) -> bool:
        """Whether there was anything to kill."""
        installation = self._installation
        match kind:
            case "decoders":
                return installation.kill_decoders() > 0
            case "broker" | "server":
                installation.kill(kind)
            case "server, again while it starts":
                dead = installation.pids()["server"]
                installation.kill("server")
                installation.wait_until(lambda: installation.pids()["server"] not in (dead, None), UP_SECONDS)
                time.sleep(self._rng.uniform(0.3, 4))
                installation.kill("server")
            case "supervisor":
                installation.kill("supervisor")
                installation.launch()
            case "all":
                installation.kill("supervisor", "broker", "server")
                installation.launch()
            case _:
                installation.kill_everything_and_wipe_the_broker()
                installation.launch()
        return True
