"""Move an installation to other stores without embedding anything again: the bytes, the catalog, the index, a look at
the answers. The parts that stay where they are are left out. What is moved stays where it was, untouched.

The catalog goes before the index: a server that is started there too early finds every version, so the points that
still come are older than what it writes, and the index leaves them out.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from backend.errors import ImportFileMissing, Misconfigured
from backend.ports import BlobStore, ImportFiles, Point, VectorStore
from backend.usecases.back_up import EVER
from backend.usecases.compare_answers import Compared, compare_answers
from backend.usecases.copy_pictures import CopyPictures

POINTS_AT_ONCE = 512
SAMPLE_SEARCHES = 100
ENOUGH_OVERLAP = 0.95
"""Of the first ten products of a search. A graph and codes of a few bits miss one in a hundred where an embedded index
compares everything; an index that was moved wrongly has next to none."""


@dataclass(frozen=True)
class Bytes:
    """From where to where pictures and files of imports go."""

    pictures: BlobStore
    files: ImportFiles
    new_pictures: BlobStore
    new_files: ImportFiles


@dataclass(frozen=True)
class Rows:
    """`move`: all rows, in one transaction. `counted`: how many each table has, here and there."""

    move: Callable[[], None]
    counted: Callable[[], tuple[Mapping[str, int], Mapping[str, int]]]


@dataclass(frozen=True)
class Moved:
    """How much there is now; a part that was not moved is None. `lost`: pictures whose bytes were gone before."""

    pictures: int | None
    lost: int
    rows: Mapping[str, int] | None
    points: int | None
    compared: Compared | None


@dataclass(frozen=True)
class MoveInstallation:
    """`wanted` and `sources`: the content hashes of all pictures, and the files of unread imports.

    `index`: the one that serves. `new_index` makes the one there, empty.
    """

    wanted: Callable[[], Iterator[str]]
    sources: Callable[[], set[str]]
    bytes: Bytes | None
    rows: Rows | None
    index: VectorStore
    new_index: Callable[[], VectorStore] | None
    tell: Callable[[str], None] = lambda _: None

    def __call__(self) -> Moved:
        """Raises `Misconfigured` when what is there in the end is not what was here, `Unavailable`. To be done again
        then, from the beginning: only pictures that are there are not sent twice.
        """
        pictures, lost = self._bytes(self.bytes) if self.bytes else (None, 0)
        rows = self._rows(self.rows) if self.rows else None
        points, compared = self._index(self.new_index) if self.new_index else (None, None)
        return Moved(pictures, lost, rows, points, compared)

    def _bytes(self, move: Bytes) -> tuple[int, int]:
        wanted, there = set(self.wanted()), set(move.new_pictures.unused_since(EVER))
        missing = sorted(wanted - there)
        told = lambda done: self.tell(f"moving pictures: {done} of {len(missing)}")  # noqa: E731 - a line of progress
        copied = CopyPictures(move.pictures, move.new_pictures, told)(missing)
        for name in self.sources():
            try:
                with move.files.open(name) as file:
                    move.new_files.adopt(name, file)
            except ImportFileMissing:  # its job will say so there as it would here
                continue
        arrived = wanted & set(move.new_pictures.unused_since(EVER))
        if len(arrived) + len(copied.lost) < len(wanted):
            raise Misconfigured(f"of {len(wanted)} pictures only {len(arrived)} are there")
        return len(arrived), len(copied.lost)

    def _rows(self, rows: Rows) -> Mapping[str, int]:
        self.tell("moving the catalog")
        rows.move()
        here, there = rows.counted()
        if here != there:
            raise Misconfigured(f"the catalog has other rows there: {dict(there)} for {dict(here)}")
        return there

    def _index(self, make: Callable[[], VectorStore]) -> tuple[int, Compared]:
        total, moved = self.index.count(), 0
        new = make()
        try:
            for some in _parts(self.index.scan()):
                new.upsert(some)
                moved += len(some)
                self.tell(f"moving the index: {moved} of {total} pictures")
            new.flush()
            if new.count() != total:
                raise Misconfigured(f"the index has {new.count()} pictures there, and {total} here")
            self.tell("comparing answers")
            compared = compare_answers(self.index, new, SAMPLE_SEARCHES)
        finally:
            new.close()
        if compared.overlap < ENOUGH_OVERLAP:
            raise Misconfigured(
                f"of {compared.asked} searches only {compared.same} are answered the same there, and of the first ten "
                f"products {compared.overlap:.0%} are the same"
            )
        return moved, compared


def _parts(points: Iterator[Point]) -> Iterator[list[Point]]:
    some: list[Point] = []
    for point in points:
        some.append(point)
        if len(some) == POINTS_AT_ONCE:
            yield some
            some = []
    if some:
        yield some
