"""How a shard with a graph is searched: walks fail where a filter keeps a part of the index that lies together. They
meet nothing that is kept, and end before they are there, however wide they are.

The numbers are recall@10 of products at 100,000 pictures made from photographs, and beside them at 4,300 drawn ones
whose categories are slices of the space, which is harder (docs/adr/0008-a-graph-built-beside.md).
"""

from enum import Enum, auto

from backend.domain.filters import AnyOf, Between, Filter

WALK_WIDTH, WIDE_WALK_WIDTH = 384, 1_024
FINE = 6
"""Two walks 384 wide, one in each part of 300,000 pictures, find 0.985 and more of what 200 questions in words have for
an answer (512 wide 0.986, 256 wide 0.974), which lie far from all pictures; near a picture 0.999. That is where parts
of the prices linked with one another (as large as what is compared whole) are a sixth of the index or less. Where they
are a third, one walk 512 wide finds 0.98, and one 1,024 wide 0.995."""
DENSE = 0.4
"""A filter that keeps so large a share leaves enough neighbours on the way: 0.99 and more, of what lies together too.
At a third it is 0.75 to 0.97 of the drawn ones; at a fifth, 0.90 of the photographs."""
UNRELATED_FIELDS = frozenset({"in_stock", "price", "currency"})
"""What has nothing to do with looks, so that what is kept lies everywhere."""
DENSE_ANYWHERE = 0.2
"""Such a filter leaves enough at less: in stock and half of the prices, a quarter, 0.998. At a tenth, 0.97."""
WHOLE_POINTS = 100_000
"""Up to here all that a filter keeps is compared, by whole vectors: 0.1 ms for each thousand on two cores. Beyond,
walks that look two links ahead (ACORN, arXiv:2403.04871) find as much and take no longer."""
LINKED_FIELDS = frozenset({"merchant", "in_stock", "price"})
"""Points that share one of these values, or a part of the prices, are linked with one another besides. Prices and stock
know nothing of looks, so that such links lead from any place to any other. Without those of prices some questions in
words find nothing at all: their answers lie in crowds of like pictures that are linked among themselves only."""


class Way(Enum):
    """Whether to walk the graph, to walk it two links ahead, or to compare all that a filter keeps."""

    WALK = auto()
    FAR_WALK = auto()
    WHOLE = auto()


def way_of(*, kept: int, points: int, scan_points: int, anywhere: bool) -> Way:
    """The way of a search. `kept`: how many of the points its filter keeps, about; `anywhere`: wherever they lie.

    What keeps at most `scan_points` is no walk either: the engine compares it whole by itself, by codes.
    """
    if kept <= scan_points or kept >= points * (DENSE_ANYWHERE if anywhere else DENSE):
        return Way.WALK
    return Way.WHOLE if kept <= WHOLE_POINTS else Way.FAR_WALK


def walk_width(*, points: int, scan_points: int) -> int:
    """How wide the graph is walked at least."""
    return WALK_WIDTH if scan_points * FINE <= points else WIDE_WALK_WIDTH


def lies_anywhere(wanted: Filter) -> bool:
    """Whether what a filter keeps has nothing to do with how it looks."""
    return not wanted.any_of and all(
        isinstance(item, AnyOf | Between) and item.field in UNRELATED_FIELDS
        for item in (*wanted.must, *wanted.must_not)
    )
