"""Ask two indexes the same questions: whether one was made well of the other."""

from dataclasses import dataclass

from backend.domain.filters import Filter
from backend.ports import VectorSearch

LIMIT = 10


@dataclass(frozen=True)
class Compared:
    """`asked`: searches. `same`: those with the same products in the same order. `overlap`: the mean share of the first
    ten products that both found; 1 when nothing was asked.
    """

    asked: int
    same: int
    overlap: float


def compare_answers(old: VectorSearch, new: VectorSearch, number: int) -> Compared:
    """Search both by up to `number` random pictures of the old one, each among its merchant's products."""
    shares: list[float] = []
    same = 0
    for point in old.sample(number):
        merchant = str(point.payload["merchant"])
        mine, theirs = (
            [match.product_id for match in it.nearest(merchant, point.vector, Filter(), limit=LIMIT)]
            for it in (old, new)
        )
        same += mine == theirs
        shares.append(len({*mine} & {*theirs}) / max(1, len(mine)))
    return Compared(len(shares), same, sum(shares) / len(shares) if shares else 1.0)
