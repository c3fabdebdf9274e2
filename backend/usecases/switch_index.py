"""Let a built index serve in the place of another: nothing is lost, nothing vanishes, and nobody waits for long.

Workers are held back between two batches, the new index is told what they wrote last, and one transaction of the
catalog makes it the one that serves. Searches are not held back at all.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from backend.domain.generation import Generation
from backend.ports import Clock, Indexes
from backend.usecases.build_index import MARGIN, BuildIndex, Progress

log = logging.getLogger(__name__)

SMALL = 32
"""Products of one look after which the next one is short enough to be the last."""

LOOKS = 20
"""Where writes come as fast as they are followed, looks get no shorter; then the last one takes as long as it takes."""

HOLD_SECONDS = 120.0
"""When the process that holds the workers back is killed, they go on by themselves after this long."""


@dataclass(frozen=True)
class SwitchIndex:
    """`patience_seconds`: how long a batch that is under way is waited for, a lease's length. What takes longer loses
    its lease, and is done again in the new index.
    """

    indexes: Indexes
    clock: Clock
    patience_seconds: float
    monotonic: Callable[[], float] = field(default=time.monotonic)
    sleep: Callable[[float], None] = field(default=time.sleep)

    def __call__(self, build: BuildIndex, generation: Generation, tell: Progress) -> None:
        """Raises `Unavailable` when a part is down, `Conflict` when the generation is gone: all is as it was then."""
        for _ in range(LOOKS):
            generation, told = build.catch_up(generation, tell)
            if told <= SMALL:
                break
        self.indexes.hold(HOLD_SECONDS)
        held = self.monotonic()
        try:
            still = self._batches_end()
            looked_at = self.clock()
            generation, _ = build.catch_up(generation, tell)
            if not still or self.monotonic() - held > HOLD_SECONDS:  # then somebody may have worked meanwhile
                looked_at -= MARGIN
            due = self.indexes.switch(generation.number, looked_at)
        except BaseException:
            self.indexes.let_go()
            raise
        log.info("generation %d of the index serves; %d products are looked at again", generation.number, due)

    def _batches_end(self) -> bool:
        """Whether nobody is writing any more."""
        until = self.monotonic() + self.patience_seconds
        while self.indexes.working():
            if self.monotonic() > until:
                return False
            self.sleep(0.05)
        return True
