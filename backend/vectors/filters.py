"""Our filters in an engine's words. What they mean is said once, by `backend.domain.filters.matches`.

The walk over a filter is the same for every engine; the few words that differ are a `Dialect`.
"""

import math
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from backend.domain.filters import ATTRIBUTE, AnyOf, Between, Condition, Filter, FilterValue, Within
from backend.domain.payload import flag_term, number_term, text_term
from backend.domain.product import ProductKey
from backend.domain.shelves import by_shelves
from backend.vectors.payload import INTEGER_FIELDS
from backend.vectors.versions import BURIED_AT, VERSION

Leaf = TypeVar("Leaf")
Group = TypeVar("Group")

LARGEST = sys.float_info.max
EXACT_IN_DOUBLE = 2**53
"""Up to here every integer is a double of its own (IEEE 754, binary64): a closed range meets it and no neighbour."""
SMALLEST_INTEGER, LARGEST_INTEGER = -(2**63), 2**63 - 1
"""Qdrant matches integers as signed 64-bit numbers."""


class Dialect(Protocol[Leaf, Group]):
    """The words of one engine. `values` are never empty and of one type; bounds are finite."""

    def matching(self, field: str, values: list[str] | list[int]) -> Leaf:
        """The field, or an entry of its list, equals one of `values`."""
        ...

    def between(self, wanted: Between) -> Leaf:
        """The number, or an entry of the list, lies in the range."""
        ...

    def nothing(self) -> Leaf:
        """Matches no point."""
        ...

    def group(
        self,
        must: Sequence[Leaf | Group] = (),
        any_of: Sequence[Leaf | Group] = (),
        must_not: Sequence[Leaf | Group] = (),
    ) -> Group:
        """All of `must`, at least one of `any_of` when there are any, none of `must_not`."""
        ...


def of_merchant(merchant: str, wanted: Filter, exclude: Sequence[str] = ()) -> Filter:
    """`wanted` within one merchant's points and without some products. Searches reach an index by this alone, or by
    `without` where all there is seems to be one merchant's, and what is found says whose it is.
    """
    narrowed = without(wanted, exclude)
    return replace(narrowed, must=(AnyOf("merchant", (merchant,)), *narrowed.must))


def without(wanted: Filter, exclude: Sequence[str]) -> Filter:
    """`wanted`, but for some products."""
    if not exclude:
        return wanted
    return replace(wanted, must_not=(*wanted.must_not, AnyOf("product_id", tuple(exclude))))


def leading(merchant: str, wanted: Filter, exclude: Sequence[str] = ()) -> Filter:
    """`of_merchant`, of each product the one point that is counted for it."""
    narrowed = of_merchant(merchant, wanted, exclude)
    return replace(narrowed, must=(*narrowed.must, AnyOf("lead", (1,))))


def merchants_of(keys: Iterable[ProductKey], most: int) -> Iterator[tuple[str, list[str]]]:
    """The keys by merchant, at most so many at once: what `of_products` takes."""
    names: defaultdict[str, list[str]] = defaultdict(list)
    for key in keys:
        names[key.merchant].append(key.product_id)
    for merchant, ids in names.items():
        for start in range(0, len(ids), most):
            yield merchant, ids[start : start + most]


def with_image(wanted: Filter, image: str | None) -> Filter:
    """`wanted`, and of these the one point that shows a picture; None: all."""
    return wanted if image is None else replace(wanted, must=(*wanted.must, AnyOf("image", (image,))))


def of_product(key: ProductKey, older_than: int | None = None) -> Filter:
    """The points of a product, or those of an older version. By merchant too: two may give the same product id."""
    version = () if older_than is None else older(older_than).must
    return Filter(must=(AnyOf("merchant", (key.merchant,)), AnyOf("product_id", (key.product_id,)), *version))


def of_products(merchant: str, product_ids: Sequence[str]) -> Filter:
    """The points of some products of one merchant."""
    return Filter(must=(AnyOf("merchant", (merchant,)), AnyOf("product_id", tuple(product_ids))))


def of_content(*content_hashes: str) -> Filter:
    """The points of these pictures, whoever's. The only filter without a merchant: it serves to read vectors alone."""
    return Filter(must=(AnyOf("image", content_hashes),))


def older(version: int) -> Filter:
    """What a point of this version may replace."""
    return Filter(must=(Between(VERSION, lt=version),))


def not_newer(version: int) -> Filter:
    """What a tombstone of this version may replace: its own version too, whose facts may have been written first."""
    return Filter(must=(Between(VERSION, lte=version),))


def buried(before: float = math.inf) -> Filter:
    """Tombstones, or those put before a moment in seconds since 1970."""
    return Filter(must=(Between(BURIED_AT, lt=before),))


def in_dialect(wanted: Filter, dialect: Dialect[Leaf, Group]) -> Group:
    """The filter in an engine's words."""
    return dialect.group(
        must=[_condition(condition, dialect) for condition in by_shelves(wanted).must],
        any_of=[in_dialect(branch, dialect) for branch in wanted.any_of],
        must_not=[
            in_dialect(item, dialect) if isinstance(item, Filter) else _condition(item, dialect)
            for item in wanted.must_not
        ],
    )


def _condition(condition: Condition, dialect: Dialect[Leaf, Group]) -> Leaf | Group:
    match condition:
        case AnyOf(field, values):
            return _one_of(_equalities(field, values, dialect), dialect)
        case Within(categories):
            # A product lists its category's ancestors (see the payload), so equality is enough, and `clothing/dress`
            # cannot meet `clothing/dressing` as a prefix would.
            return _one_of([dialect.matching("categories", list(categories))] if categories else [], dialect)
        case Between():
            return _range(condition, dialect)


def _one_of(leaves: Sequence[Leaf], dialect: Dialect[Leaf, Group]) -> Leaf | Group:
    if not leaves:
        return dialect.nothing()  # an empty list of alternatives would mean "anything" to the engine
    return leaves[0] if len(leaves) == 1 else dialect.group(any_of=leaves)


def _equalities(field: str, values: Sequence[FilterValue], dialect: Dialect[Leaf, Group]) -> list[Leaf]:
    if field.startswith(ATTRIBUTE):
        return _attribute_equalities(field.removeprefix(ATTRIBUTE), values, dialect)
    words = [value for value in values if isinstance(value, str)]
    numbers = [value for value in values if not isinstance(value, str)]
    exact = [int(number) for number in numbers if _matched_as_integer(field, number)]
    rest = [number for number in numbers if not _matched_as_integer(field, number)]
    leaves: list[Leaf] = []
    if words:
        leaves.append(dialect.matching(field, list(words)))
    if exact:
        leaves.append(dialect.matching(field, exact))
    # The engines compare integers with integers only: a price stored as 3.0 is not met by matching 3. A closed range
    # meets both.
    leaves += [dialect.between(closed) for number in rest if (closed := _closed(field, number)) is not None]
    return leaves


def _attribute_equalities(name: str, values: Sequence[FilterValue], dialect: Dialect[Leaf, Group]) -> list[Leaf]:
    """By the indexes of all attributes: else the engine reads every payload, 0.3 s for 100,000 points, once a value."""
    numbers = [value for value in values if not isinstance(value, str | bool)]
    others = [value for value in values if isinstance(value, str | bool)]
    leaves: list[Leaf] = []
    if others:
        terms = [flag_term(name, value=it) if isinstance(it, bool) else text_term(name, it) for it in others]
        leaves.append(dialect.matching("attribute_terms", terms))
    if numbers:
        leaves.append(dialect.matching("attribute_numbers", [number_term(name, number) for number in numbers]))
    return leaves


def _matched_as_integer(field: str, number: float) -> bool:
    """Whether to match and not to range: where all values are integers, and where doubles cannot tell them apart."""
    if isinstance(number, float):
        return field in INTEGER_FIELDS and number.is_integer() and abs(number) <= EXACT_IN_DOUBLE
    return SMALLEST_INTEGER <= number <= LARGEST_INTEGER and (field in INTEGER_FIELDS or abs(number) > EXACT_IN_DOUBLE)


def _closed(field: str, number: float) -> Between | None:
    try:
        bound = float(number)
    except OverflowError:
        return None  # beyond a double: no stored number equals it
    return Between(field, gte=bound, lte=bound) if math.isfinite(bound) else None


def _range(wanted: Between, dialect: Dialect[Leaf, Group]) -> Leaf | Group:
    bounds = [_bound(wanted.gte, up=True), _bound(wanted.gt, up=False)]
    bounds += [_bound(wanted.lte, up=False), _bound(wanted.lt, up=True)]
    if any(bound is not None and math.isnan(bound) for bound in bounds):
        return dialect.nothing()  # every comparison with NaN is false
    within = _between(_tightest(Between(wanted.field, *bounds)), dialect)
    if not wanted.field.startswith(ATTRIBUTE):
        return within
    # Of these products only: flags, stored as 0 and 1, are no numbers. And where the numbers have no index of their
    # own, these are all the engine reads: mostly none, as for a name that is made up.
    has_number = dialect.matching("attribute_numbers", [wanted.field.removeprefix(ATTRIBUTE)])
    return dialect.group(must=[has_number, within])


def _tightest(wanted: Between) -> Between:
    """One bound a side. Of two Qdrant's index minds one only: what is at least 20 and above 0 would be all above 0."""
    gte, gt, lte, lt = wanted.gte, wanted.gt, wanted.lte, wanted.lt
    if gte is not None and gt is not None:
        gte, gt = (None, gt) if gt >= gte else (gte, None)
    if lte is not None and lt is not None:
        lte, lt = (None, lt) if lt <= lte else (lte, None)
    return Between(wanted.field, gte=gte, gt=gt, lte=lte, lt=lt)


def _between(wanted: Between, dialect: Dialect[Leaf, Group]) -> Leaf | Group:
    """A range with one bound a side at most; one that nothing lies in is not left to the engine."""
    low = wanted.gte if wanted.gt is None else wanted.gt
    high = wanted.lte if wanted.lt is None else wanted.lt
    if low is not None and high is not None:
        closed = wanted.gte is not None and wanted.lte is not None
        if low > high or (low == high and not closed):
            return dialect.nothing()
    return dialect.between(wanted)


def _bound(bound: float | None, *, up: bool) -> float | None:
    """As a double, and for an integer that is none the next one up or down: the same doubles are in the range, and all
    stored numbers are such. An infinity becomes the largest: JSON has none, and a null instead would open the range.
    """
    if bound is None:
        return None
    bound = min(max(bound, -LARGEST), LARGEST)
    double = float(bound)
    if double < bound and up:
        return math.nextafter(double, math.inf)
    if double > bound and not up:
        return math.nextafter(double, -math.inf)
    return double
