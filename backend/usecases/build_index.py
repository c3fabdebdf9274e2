"""Fill an index from catalog and pictures while another one serves, and catch up with what is written meanwhile.

Only rows are read, and only the new index is written to, under the rows' versions: so doing anything twice is harmless,
and the place that is noted may lie behind what is done. A killed process goes on from there.
"""

import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta

from backend.domain.generation import Generation, Told
from backend.domain.picture import Picture, PictureState
from backend.domain.product import ProductKey, ProductRecord
from backend.domain.reconciling import plan_of
from backend.errors import Poison
from backend.ports import Catalog, Clock, Indexes, VectorStore
from backend.usecases.embed_pictures import EmbedPictures
from backend.usecases.write_points import write_points

NOTED_SECONDS = 5.0
"""Between two notes of the place: what a killed process does again. Each waits for the disk, 40 to 100 ms."""

MARGIN = timedelta(seconds=60)
"""A product is told at a moment read before the commit that shows it, by the clock of any machine that works. Nobody
waits for a commit this long, and clocks of servers differ by less. What is looked at twice for it costs a query."""

KEYS_READ = 1_024
"""Read at once: one statement a thousand products, and nothing in memory but their keys."""

Progress = Callable[[Generation], None]
"""Told how far it is, whenever that was noted."""


@dataclass(frozen=True)
class BuildIndex:
    """`vectors` and `embed` are those of the generation being built. One process at a time builds a generation.

    `threads`: batches at once, so that one is decoded while another is in the model.
    """

    catalog: Catalog
    indexes: Indexes
    vectors: VectorStore
    embed: EmbedPictures
    clock: Clock
    batch: int
    threads: int = 2
    monotonic: Callable[[], float] = field(default=time.monotonic)
    _looked_at: dict[ProductKey, Told] = field(default_factory=dict)

    def fill(self, generation: Generation, tell: Progress) -> Generation:
        """Every product from its place on. Raises `Unavailable` when a part is down: it goes on from there later."""
        noted = self.monotonic()
        for keys, torn in self._in_order(generation):
            generation = _with(generation, keys, torn)
            if self.monotonic() - noted > NOTED_SECONDS:
                self._note(generation, tell)
                noted = self.monotonic()
        generation = replace(generation, filled=True)
        self._note(generation, tell)
        return generation

    def catch_up(self, generation: Generation, tell: Progress) -> tuple[Generation, int]:
        """Look once at what the serving index was told since the last look. How many products that were.

        Two looks one after the other see little twice: what was told before the second is remembered by the first.
        """
        begun = self.clock()
        listed = self.indexes.told_since(generation.told_before - MARGIN)
        told = [it for it in listed if self._looked_at.get(it.key) != it]
        torn = {*generation.gaps}
        for start in range(0, len(told), self.batch):
            part = told[start : start + self.batch]
            keys = [it.key for it in part]
            torn = torn - {*keys} | self._index(keys)
        self._looked_at.clear()  # what is not listed any more lies before the margin, and will not be again
        self._looked_at.update((it.key, it) for it in listed)
        if told:
            self.vectors.flush()
        generation = replace(generation, told_before=begun, gaps=tuple(sorted(torn)))
        self.indexes.record(generation)
        tell(generation)
        return generation, len(told)

    def _note(self, generation: Generation, tell: Progress) -> None:
        """The points first, or a loss of power could leave a place behind which something is missing."""
        self.vectors.flush()
        self.indexes.record(generation)
        tell(generation)

    def _in_order(self, generation: Generation) -> Iterator[tuple[Sequence[ProductKey], set[ProductKey]]]:
        """Batches as they are done, in the order of their keys: the place passes none that is still under way."""
        under_way: deque[tuple[Sequence[ProductKey], Future[set[ProductKey]]]] = deque()
        with ThreadPoolExecutor(self.threads, thread_name_prefix="build") as pool:
            try:
                for keys in self._batches(generation.after):
                    under_way.append((keys, pool.submit(self._index, keys)))
                    if len(under_way) > self.threads:
                        done, torn = under_way.popleft()
                        yield done, torn.result()
                while under_way:
                    done, torn = under_way.popleft()
                    yield done, torn.result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _batches(self, after: ProductKey | None) -> Iterator[Sequence[ProductKey]]:
        while keys := self.indexes.keys_after(after, KEYS_READ):
            for start in range(0, len(keys), self.batch):
                yield keys[start : start + self.batch]
            after = keys[-1]

    def _index(self, keys: Sequence[ProductKey]) -> set[ProductKey]:
        """Bring these products in the index to their rows as they are now; those with a picture without a vector."""
        rows = self.catalog.products(keys)
        held = self.vectors.images_of([_key(row) for row in rows])
        records = [record for row in rows if (record := _to_be_shown(row, held[_key(row)])) is not None]
        plans = {_key(record): plan_of(record, held[_key(record)]) for record in records}
        embedded = self.embed([item for plan in plans.values() for item in plan.add], _nobody_waits)
        write_points(self.vectors, records, plans, embedded)
        return {_key(record) for record in records if embedded.refusals.keys() & {*plans[_key(record)].add}}


def _with(generation: Generation, keys: Sequence[ProductKey], torn: set[ProductKey]) -> Generation:
    """A batch further."""
    done = generation.done + len(keys)
    gaps = tuple(sorted({*generation.gaps, *torn}))
    return replace(generation, after=keys[-1], done=done, total=max(generation.total, done), gaps=gaps)


def _to_be_shown(record: ProductRecord, held: Collection[str]) -> ProductRecord | None:
    """The row as an index that holds these pictures of it may be told of it by now; None: nothing of it.

    A picture that another encoder refused is not refused for this one, which made a vector of it.

    While pictures are still at their addresses no index is told of a version: they may turn out to be those the product
    had before, which a tombstone of this very version would keep out for good. Until then it is found by what it shows
    in the serving index, under the version before.
    """
    record = _judged_by_this(record, held)
    if record.deleted or record.code or not any(picture.unfetched for picture in record.pictures):
        return record
    if record.indexed_version == 0 and record.searchable_at is None:
        return None
    here = tuple(picture for picture in record.pictures if picture.content_hash is not None)
    former = tuple(Picture(content_hash) for content_hash in record.dropped)
    return replace(record, version=record.version - 1, pictures=(*here, *former), dropped=())


def _judged_by_this(record: ProductRecord, held: Collection[str]) -> ProductRecord:
    """What ended its workers stays out."""
    if record.deleted or record.code == Poison.code:
        return record
    pictures = tuple(
        replace(picture, state=PictureState.SEARCHABLE)
        if picture.state is PictureState.FAILED and picture.content_hash in held and picture.code != Poison.code
        else picture
        for picture in record.pictures
    )
    return record if pictures == record.pictures else replace(record, pictures=pictures, code=None)


def _key(record: ProductRecord) -> ProductKey:
    return record.product.key


def _nobody_waits() -> None:
    """No lease is held that could run out."""
