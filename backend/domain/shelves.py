"""A category and a part of the prices in one number, for the filter shoppers combine most.

An engine walks over what the rarest condition keeps and checks every other condition point by point: for dresses from
20 to 30 that are all dresses. So a product lists its shelves, one for each category it is in, and a filter by category
and price asks for those the range touches. Few of what these keep lies outside of the range.
"""

import hashlib
import math
import sys
from collections.abc import Sequence
from dataclasses import replace

from backend.domain.filters import AnyOf, Between, Filter, Within

FIELD = "shelves"
PARTS_PER_DOUBLING = 8
"""How fine the parts are: 7 to 12 % of a price. A range of 20 to 30 touches six of them."""
MOST_SHELVES = 64
"""A range that touches more, eight doublings of a price, leaves little out."""


def shelves_of(categories: Sequence[str], price: float | None) -> list[int]:
    """Where a product stands; nowhere when it has no price. `categories`: its own and all above it."""
    return [] if price is None else [_shelf(category, _part(price)) for category in categories]


def by_shelves(wanted: Filter) -> Filter:
    """The same filter, by shelves instead of the category where there is a range of prices beside it, with an end."""
    within = next((item for item in wanted.must if isinstance(item, Within)), None)
    prices = next((item for item in wanted.must if isinstance(item, Between) and item.field == "price"), None)
    if within is None or prices is None:
        return wanted
    parts = _touched(prices)
    if not 0 < len(parts) * len(within.categories) <= MOST_SHELVES:
        return wanted
    shelves = AnyOf(FIELD, tuple(_shelf(category, part) for category in within.categories for part in parts))
    return replace(wanted, must=tuple(shelves if item is within else item for item in wanted.must))


def _touched(prices: Between) -> range:
    """The parts that hold any price of the range; none where it has no end."""
    low = max(bound for bound in (prices.gte, prices.gt, 0.0) if bound is not None)
    high = min((bound for bound in (prices.lte, prices.lt) if bound is not None), default=math.inf)
    return range(_part(low), _part(high) + 1) if low <= high <= sys.float_info.max else range(0)


def _part(price: float) -> int:
    """Of the prices, by whole steps of a double's mantissa: no rounding puts a dearer product into a lower part."""
    mantissa, exponent = math.frexp(1.0 + max(price, 0.0))
    return exponent * PARTS_PER_DOUBLING + int((2 * mantissa - 1) * PARTS_PER_DOUBLING)


def _shelf(category: str, part: int) -> int:
    """63 bits of a hash: of a million shelves any two are one with a probability of 5e-8, and the price is checked."""
    digest = hashlib.blake2b(f"{part}:{category}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
