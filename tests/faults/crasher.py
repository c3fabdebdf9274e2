"""Kill everything at random while clients write, then look whether the server kept its word.

`python -m tests.faults.crasher --seconds 300 --seed 1` (or `make faults SECONDS=300 SEED=1`) starts one real server in
a temporary folder. Exit status 1 when anything was lost, doubled or wrong; the folder is kept then. In the manner of
Qdrant's own crasher (https://github.com/qdrant/crasher): confirmed writes are remembered, everything is read back.
"""

import argparse
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.fakes.tiny_clip import save_tiny_clip
from tests.faults.assortment import Assortment
from tests.faults.checker import FAULTS, Checker, Findings, by_kind
from tests.faults.client import MERCHANTS, Client, Tally
from tests.faults.killer import Killer, Kills
from tests.faults.memory import Address, Contested
from tests.faults.wire import Wire
from tests.installation import Installation

CLIENTS = 5
CONTESTED = 12
SETTLE_SECONDS = 120.0


@dataclass(frozen=True)
class Report:
    """One run: what was done, what was found, how long it took to settle."""

    seed: int
    seconds: float
    kills: Kills
    tally: Tally
    findings: Findings
    settle_seconds: float

    @property
    def clean(self) -> bool:
        """Nothing lost, doubled, wrong or answered with an error nobody expected."""
        return not any(self.findings.faults.values()) and not self.tally.unexpected

    @property
    def confirmed(self) -> int:
        return self.tally.confirmed.total()

    def __str__(self) -> str:
        back = sorted(self.kills.back_seconds) or [0.0]
        rows = {
            "seed, seconds": f"{self.seed}, {self.seconds:.0f}",
            "kills": f"{self.kills.total}: {by_kind(self.kills.kinds)}",
            "confirmed writes": f"{self.confirmed}: {by_kind(self.tally.confirmed)}",
            "unconfirmed writes": f"{self.tally.unanswered.total()}: {by_kind(self.tally.unanswered)}",
            "answers again after": f"p50 {statistics.median(back):.1f} s, max {back[-1]:.1f} s",
            "settled after": f"{self.settle_seconds:.1f} s",
            "searchable products": str(self.findings.searchable),
            "failed products by code": by_kind(self.findings.failed),
            **{fault: str(self.findings.faults[fault]) for fault in FAULTS},
            "unexpected answers": str(self.tally.unexpected.total()),
        }
        lines = [f"{name:<24} {value}" for name, value in rows.items()]
        lines += ["", *self.findings.examples] if self.findings.examples else []
        lines += [f"{count} x {answer}" for answer, count in self.tally.unexpected.most_common(10)]
        return "\n".join(lines)


def crash(
    folder: Path, model: Path, *, seconds: float, seed: int, say: Callable[[str], None] = lambda line: None
) -> Report:
    """Run for `seconds` in an empty folder with the encoder in another."""
    rng = random.Random(seed)
    tally = Tally()
    shared = [
        Contested(Address(MERCHANTS[n % len(MERCHANTS)], f"shared-{n}", "crash/shared")) for n in range(CONTESTED)
    ]
    with Assortment(seed) as assortment:
        installation = Installation(folder / "data", SHELFSIGHT_MODEL=str(model), **assortment.settings)
        installation.start()
        try:
            clients = []
            for number in range(CLIENTS):
                own = random.Random(seed * 1_000 + number)
                clients.append(Client(number, own, Wire(installation, own), assortment, tally, shared))
                clients[-1].start()
            killer = Killer(installation, rng, lambda line: say(f"{tally.confirmed.total():>7} confirmed  {line}"))
            try:
                killer.run(time.monotonic() + seconds)
            finally:
                tally.stop.set()
                for client in clients:
                    client.join(300)
            for client in clients:
                if client.failure is not None:
                    raise client.failure
            ended = time.monotonic()
            installation.wait_until(installation.settled, SETTLE_SECONDS)
            settle_seconds = time.monotonic() - ended
            say("settled; reading everything back")
            products = [item for client in clients for item in client.products]
            findings = Checker(installation, [*products, *shared], tally).run(rng)
        finally:
            installation.stop()
    return Report(seed, seconds, killer.kills, tally, findings, settle_seconds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300.0, help="how long clients write and processes are killed")
    parser.add_argument("--seed", type=int, default=1, help="what the victims, moments and writes are drawn from")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="shelfsight-crash-"))
    started = time.monotonic()
    model = save_tiny_clip(folder / "clip")
    report = crash(
        folder,
        model,
        seconds=given.seconds,
        seed=given.seed,
        say=lambda line: print(f"{time.monotonic() - started:6.0f} s  {line}", flush=True),
    )
    print(f"\n{report}")
    if not report.clean:
        print(f"\nkept: {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
