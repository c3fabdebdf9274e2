"""Filters over a product's facts, and what they mean: every vector store is tested against `matches`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

FilterValue: TypeAlias = str | int | float | bool

ATTRIBUTE = "attributes."
"""Begins the field of an attribute; its name follows."""

PLAIN_FIELDS = ("product_id", "brand", "currency", "in_stock")
"""Fields compared as they are. `category` matches with everything below it, `price` by range."""


@dataclass(frozen=True, slots=True)
class AnyOf:
    """The field (or one of its list's entries) equals one of `values`. Empty `values` match nothing.

    An attribute equals what is of its kind only: a flag is neither a number nor a text. `in_stock` is met by 0 and 1.
    """

    field: str
    values: tuple[FilterValue, ...]


@dataclass(frozen=True, slots=True)
class Within:
    """The category is one of `categories` or lies below it."""

    categories: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """The number lies in the range; a bound of None is open. A product without the number does not match.

    An attribute that is a flag is no number.
    """

    field: str
    gte: float | None = None
    gt: float | None = None
    lte: float | None = None
    lt: float | None = None


Condition: TypeAlias = AnyOf | Within | Between


@dataclass(frozen=True, slots=True)
class Filter:
    """All of `must`, at least one of `any_of` (when there are any), none of `must_not`."""

    must: tuple[Condition, ...] = ()
    any_of: tuple["Filter", ...] = ()
    must_not: tuple["Condition | Filter", ...] = ()


def matches(facts: Mapping[str, object], wanted: Filter) -> bool:
    """Whether a product's payload (see `backend.domain.payload`) satisfies a filter: the plain-Python reference."""
    return (
        all(_holds(facts, condition) for condition in wanted.must)
        and (not wanted.any_of or any(matches(facts, branch) for branch in wanted.any_of))
        and not any(_holds(facts, item) for item in wanted.must_not)
    )


def _holds(facts: Mapping[str, object], item: "Condition | Filter") -> bool:
    match item:
        case Filter():
            return matches(facts, item)
        case AnyOf():
            return any(_same(item.field, have, want) for have in _values(facts, item.field) for want in item.values)
        case Within():
            return any(have == want for have in _values(facts, "categories") for want in item.categories)
        case Between():
            return any(_inside(have, item) for have in _values(facts, item.field))


def _values(facts: Mapping[str, object], field: str) -> tuple[object, ...]:
    """The field's values as a tuple; `attributes.color` reaches into the attributes; a missing field has none."""
    name = field.removeprefix(ATTRIBUTE)
    within = facts if name == field else facts.get("attributes")
    value = within.get(name) if isinstance(within, Mapping) else None
    if value is None:
        return ()
    if name != field and _is_flag(facts, name):
        return (bool(value),)
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _is_flag(facts: Mapping[str, object], name: str) -> bool:
    flags = facts.get("attribute_flags")  # the payload has 0 and 1 in their place
    return isinstance(flags, list | tuple) and name in flags


def _same(field: str, have: object, want: FilterValue) -> bool:
    """Equality in which a number never equals a string, nor an attribute's flag a number."""
    if field.startswith(ATTRIBUTE) and isinstance(have, bool) != isinstance(want, bool):
        return False
    return isinstance(have, str) == isinstance(want, str) and have == want


def _inside(have: object, wanted: Between) -> bool:
    if isinstance(have, bool) or not isinstance(have, int | float):
        return False
    return (
        (wanted.gte is None or have >= wanted.gte)
        and (wanted.gt is None or have > wanted.gt)
        and (wanted.lte is None or have <= wanted.lte)
        and (wanted.lt is None or have < wanted.lt)
    )
