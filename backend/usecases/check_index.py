"""Search the index approximately and exactly, as its merchants' customers do, and compare: the guard of its recall."""

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from backend.domain.filters import Filter
from backend.domain.index_check import WANTED, FilterRecall, IndexCheck, filters_like, recall_of, summary
from backend.domain.picture import Vector
from backend.ports import Clock, Embedder, Point, VectorStore

log = logging.getLogger(__name__)

SAMPLE = 8
"""Products a check looks at by itself: some 80 searches, half of them exact, which take 3 s at 300,000 pictures."""
LEAST_RECALL = 0.95
"""Below it the log says so. A graph that is in order finds 0.98 and more under every filter (docs/benchmarks.md)."""


@dataclass(eq=False)
class CheckIndex:
    """`last` is what the latest check found, whoever asked for it; None before the first one. Any thread may ask."""

    vectors: VectorStore
    embedder: Embedder
    clock: Clock
    last: IndexCheck | None = field(default=None, init=False)
    _turn: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __call__(self, merchant: str, number: int = SAMPLE) -> IndexCheck:
        """Check with up to `number` products of a merchant, drawn at random. Raises `Unavailable`.

        Each asks twice under every class of filters: with its picture, and with its title as a shopper's words. Exact
        searches read every vector the filter leaves, so that other requests wait meanwhile: 50 ms at 300,000 pictures.
        """
        with self._turn:  # or exact searches of several checks would add up to a standstill
            at, begun = self.clock(), time.monotonic()
            filters = self._compared(merchant, self.vectors.sample(number, merchant))
            checked = IndexCheck(at, time.monotonic() - begun, self.vectors.count(merchant), tuple(filters))
        if checked.recall is not None:
            self.last = checked
            if checked.recall < LEAST_RECALL:
                log.warning("the index misses matches: %s", ", ".join(f"{it.name} {it.recall:.2f}" for it in filters))
        return checked

    def some(self) -> IndexCheck | None:
        """Check with products of a merchant that is met by chance; None when the index is empty."""
        for point in self.vectors.sample(1):
            return self(str(point.payload["merchant"]))
        return None

    def _compared(self, merchant: str, drawn: Sequence[Point]) -> list[FilterRecall]:
        recalls = defaultdict[str, list[float]](list)
        for name, vector, wanted in self._asked(drawn):
            found = self.vectors.nearest(merchant, vector, wanted, limit=WANTED)
            best = self.vectors.nearest(merchant, vector, wanted, limit=WANTED, exact=True)
            recalls[name].append(recall_of(found, best))
        return [summary(name, several) for name, several in recalls.items()]

    def _asked(self, drawn: Sequence[Point]) -> Iterator[tuple[str, Vector, Filter]]:
        """Every other product is asked for under another's filters: shoppers mostly filter for what they show, and an
        index finds least where they do not.
        """
        titles = [str(point.payload.get("title") or "") for point in drawn]
        said = dict(zip(titles, self.embedder.embed_texts(titles), strict=True)) if drawn else {}
        for place, point in enumerate(drawn):
            other = drawn[(place + place % 2) % len(drawn)]
            for name, wanted in filters_like(other.payload).items():
                yield name, point.vector, wanted
                if titles[place]:
                    yield name, said[titles[place]], wanted
