"""Filters as JSON -> the domain's filters. docs/search.md describes the forms."""

import math
import re
from collections.abc import Mapping

from backend.domain.filters import AnyOf, Between, Condition, Filter, FilterValue, Within
from backend.domain.product_facts import ATTRIBUTE_PATTERN, MAX_ATTRIBUTE_VALUE, category_of, currency_of
from backend.errors import InvalidFilter

MAX_DEPTH = 4  # `any` and `not` inside each other; nobody writes deeper by hand
MAX_PARTS = 1_000  # values, ranges and alternatives of `any`, all together: each costs the engine a lookup
MAX_RANGES = 8  # of these, ranges of attributes: where their numbers have no index, each makes the engine read payloads
BOUNDS = ("gte", "gt", "lte", "lt")
LISTED = ("product_id", "brand", "currency")


def filter_of(raw: object, *, default_currency: str) -> Filter:
    """A filter from a JSON object. Raises `InvalidFilter` with the field's path."""
    return _Reader(default_currency).filter(raw, "filter", depth=1)


class _Reader:
    """Reads one filter and counts its parts."""

    def __init__(self, default_currency: str) -> None:
        self._currency = default_currency
        self._parts = 0
        self._ranges = 0

    def filter(self, raw: object, path: str, depth: int) -> Filter:
        fields = self._fields(raw, path, depth)
        conditions = (
            item
            for name, value in fields.items()
            if name not in ("any", "not")
            for item in self.conditions(name, value, path, fields)
        )
        return Filter(
            must=tuple(conditions),
            any_of=self.branches(fields["any"], f"{path}.any", depth) if "any" in fields else (),
            must_not=self.none_of(fields["not"], f"{path}.not", depth + 1) if "not" in fields else (),
        )

    def branches(self, raw: object, path: str, depth: int) -> tuple[Filter, ...]:
        if not isinstance(raw, list) or not raw:
            raise InvalidFilter("a list of filters, at least one", field=path)
        self._count(len(raw), path)  # before they are read: an empty one has nothing else to count
        return tuple(self.filter(item, f"{path}.{number}", depth + 1) for number, item in enumerate(raw))

    def none_of(self, raw: object, path: str, depth: int) -> tuple[Condition | Filter, ...]:
        """None of the fields may hold. A price and its currency count as one."""
        fields = self._fields(raw, path, depth)
        none: list[Condition | Filter] = []
        for name, value in fields.items():
            if name == "any":
                none += self.branches(value, f"{path}.any", depth)
            elif name == "not":
                none.append(Filter(must_not=self.none_of(value, f"{path}.not", depth + 1)))
            else:
                conditions = self.conditions(name, value, path, fields)
                none.append(conditions[0] if len(conditions) == 1 else Filter(conditions))
        return tuple(none)

    def _fields(self, raw: object, path: str, depth: int) -> Mapping[str, object]:
        if depth > MAX_DEPTH:
            raise InvalidFilter(f"nested more than {MAX_DEPTH} deep", field=path)
        return _object(raw, path)

    def conditions(self, name: str, value: object, path: str, beside: Mapping[str, object]) -> tuple[Condition, ...]:
        path = f"{path}.{name}"
        match name:
            case "category":
                return (Within(tuple(_category(item, path) for item in self._list(value, path))),)
            case "price":
                self._count(1, path)
                within = (_between(name, _object(value, path), path),)
                return within if "currency" in beside else (*within, AnyOf("currency", (self._currency,)))
            case "in_stock":
                if not isinstance(value, bool):
                    raise InvalidFilter("true or false", field=path)
                self._count(1, path)
                return (AnyOf("in_stock", (value,)),)
            case "currency":
                return (AnyOf(name, tuple(_currency(item, path) for item in self._list(value, path))),)
            case _ if name in LISTED:
                return (AnyOf(name, tuple(_text(item, path) for item in self._list(value, path))),)
            case _ if name.startswith("attributes."):
                return (self._attribute(name, value, path),)
        raise InvalidFilter(
            f"no such filter; there are category, price, in_stock, {', '.join(LISTED)}, attributes.<name>, any, not",
            field=path,
        )

    def _attribute(self, name: str, value: object, path: str) -> Condition:
        if not re.fullmatch(ATTRIBUTE_PATTERN, name.removeprefix("attributes.")):
            raise InvalidFilter("an attribute's name has 1 to 64 letters, digits, '-' or '_'", field=path)
        if isinstance(value, Mapping):
            return self._range(name, value, path)
        return AnyOf(name, tuple(_scalar(item, path) for item in self._list(value, path)))

    def _range(self, name: str, raw: Mapping[str, object], path: str) -> Between:
        self._count(1, path)
        self._ranges += 1
        if self._ranges > MAX_RANGES:
            raise InvalidFilter(f"more than {MAX_RANGES} ranges of attributes", field=path)
        return _between(name, raw, path)

    def _list(self, value: object, path: str) -> list[object]:
        values = value if isinstance(value, list) else [value]
        if not values:
            raise InvalidFilter("an empty list matches nothing; leave the field out to match everything", field=path)
        self._count(len(values), path)
        return values

    def _count(self, parts: int, path: str) -> None:
        self._parts += parts
        if self._parts > MAX_PARTS:
            raise InvalidFilter(f"more than {MAX_PARTS:,} values, ranges and alternatives", field=path)


def _object(raw: object, path: str) -> Mapping[str, object]:
    if not isinstance(raw, Mapping):
        raise InvalidFilter("an object is expected", field=path)
    return raw


def _between(name: str, raw: Mapping[str, object], path: str) -> Between:
    if not raw or any(bound not in BOUNDS for bound in raw):
        raise InvalidFilter(f"a range has one or more of {', '.join(BOUNDS)}", field=path)
    if {"gte", "gt"} <= raw.keys() or {"lte", "lt"} <= raw.keys():
        raise InvalidFilter("a range has one lower and one upper bound", field=path)
    bounds = {bound: _number(value, f"{path}.{bound}") for bound, value in raw.items()}
    lower, upper = bounds.get("gte", bounds.get("gt")), bounds.get("lte", bounds.get("lt"))
    if lower is not None and upper is not None and lower > upper:
        raise InvalidFilter(f"the lower bound {lower:g} is above the upper bound {upper:g}", field=path)
    return Between(name, **bounds)


def _number(value: object, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise InvalidFilter("a number is expected", field=path)
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise InvalidFilter("a number is expected", field=path) from None
    if not math.isfinite(number):
        raise InvalidFilter("a finite number is expected", field=path)
    return number


def _category(value: object, path: str) -> str:
    try:
        category = category_of(value)
    except ValueError as err:
        raise InvalidFilter(str(err), field=path) from None
    if not category:
        raise InvalidFilter("an empty category; leave the field out to match everything", field=path)
    return category


def _currency(value: object, path: str) -> str:
    try:
        return currency_of(value)
    except ValueError as err:
        raise InvalidFilter(str(err), field=path) from None


def _text(value: object, path: str) -> str:
    if not isinstance(value, str) or len(value) > MAX_ATTRIBUTE_VALUE:
        raise InvalidFilter(f"a string of at most {MAX_ATTRIBUTE_VALUE} characters is expected", field=path)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidFilter("half a surrogate pair is no text", field=path) from None
    return value


def _scalar(value: object, path: str) -> FilterValue:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return _number(value, path) if isinstance(value, float) else int(_number(value, path))
    return _text(value, path)
