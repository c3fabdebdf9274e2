"""How much of what an exact search finds an approximate one finds too, filter by filter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean

from backend.domain.filters import AnyOf, Between, Condition, Filter, Within
from backend.domain.query import Match

WANTED = 10
"""Matches compared: recall@10, as engines are compared by."""
PRICE_SPREAD = 0.2
"""A price filter reaches so far below and above a product's own price: some fifth of most catalogs."""
SAME_SCORE = 1e-5
"""Two products whose scores differ by less are equally right: engines add up in other orders."""


@dataclass(frozen=True, slots=True)
class FilterRecall:
    """Of one class of filters. `recall`: the mean of `searches` searches, 0 to 1; `least`: the worst of them."""

    name: str
    searches: int
    recall: float
    least: float


@dataclass(frozen=True, slots=True)
class IndexCheck:
    """What a check found, on one merchant's products. `at`: when it began; `seconds`: how long it took."""

    at: datetime
    seconds: float
    points: int
    filters: tuple[FilterRecall, ...]

    @property
    def recall(self) -> float | None:
        """That of the class of filters in which least is found; None when there was nothing to search."""
        return min((item.recall for item in self.filters), default=None)


def filters_like(facts: Mapping[str, object]) -> dict[str, Filter]:
    """Class -> the filter of it that a product satisfies, as shoppers set them; without those it has no facts for."""
    stock = AnyOf("in_stock", (1,))
    category, brand, price = facts.get("category"), facts.get("brand"), facts.get("price")
    wishes: dict[str, tuple[Condition, ...]] = {"none": (), "in stock": (stock,)}
    if isinstance(category, str) and category:
        wishes["category"] = (Within((category,)),)
        if isinstance(price, int | float):
            band = Between("price", gte=price * (1 - PRICE_SPREAD), lte=price * (1 + PRICE_SPREAD))
            wishes["category and price"] = (Within((category,)), band)
    if isinstance(brand, str) and brand:
        wishes["brand"] = (AnyOf("brand", (brand,)),)
    return {name: Filter(must=conditions) for name, conditions in wishes.items()}


def recall_of(found: Sequence[Match], best: Sequence[Match]) -> float:
    """The share of the best that was found. Of equally good products any will do, so scores are compared."""
    if not best:
        return 1.0
    least = best[-1].score - SAME_SCORE
    return min(1.0, sum(match.score >= least for match in found) / len(best))


def summary(name: str, recalls: Sequence[float]) -> FilterRecall:
    """Of the searches under one class of filters, at least one."""
    return FilterRecall(name, len(recalls), fmean(recalls), min(recalls))
