"""How a shard with a graph is searched: walks fail where a filter keeps a part of the index that lies together. They
meet nothing that is kept, and end before they are there, however wide they are.

The numbers are recall@10 of products at 100,000 pictures made from photographs, and beside them at 4,300 drawn ones
whose categories are slices of the space, which is harder (docs/adr/0008-a-graph-built-beside.md).
"""

from enum import Enum, auto

WALK_WIDTH = 1_024
"""Questions in words lie far from all pictures: walks 512 wide find 0.98 of what there is, in stock 0.976, and some
nothing; 1,024 wide 0.999 and 0.995."""
DENSE = 0.4
"""A filter that keeps so large a share leaves enough neighbours on the way: 0.99 and more, of what lies together too.
At a third it is 0.75 to 0.97 of the drawn ones; at a fifth, 0.90 of the photographs."""
WHOLE_POINTS = 100_000
"""Up to here all that a filter keeps is compared, by whole vectors: 0.2 ms for each thousand. Beyond, walks that look
two links ahead (ACORN, arXiv:2403.04871) find as much and take no longer."""
LINKED_FIELDS = frozenset({"merchant", "in_stock"})
"""Values that keep a large share alone: points that share one are linked with one another besides. More fields would
take twice the time to build, and what they keep is compared whole."""


class Way(Enum):
    """Whether to walk the graph, to walk it two links ahead, or to compare all that a filter keeps."""

    WALK = auto()
    FAR_WALK = auto()
    WHOLE = auto()


def way_of(*, kept: int, points: int, scan_points: int) -> Way:
    """The way of a search. `kept`: how many of the points its filter keeps, about.

    What keeps at most `scan_points` is no walk either: the engine compares it whole by itself, by codes.
    """
    if kept <= scan_points or kept >= DENSE * points:
        return Way.WALK
    return Way.WHOLE if kept <= WHOLE_POINTS else Way.FAR_WALK
