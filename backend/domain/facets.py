"""How many products have a value: which facts can be counted, and how the counts are read and made."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

from backend.domain.payload import Payload
from backend.domain.product import ancestors_of
from backend.domain.product_facts import ATTRIBUTE_PATTERN
from backend.domain.query import Counted, PriceRange

PRICE = "price"
ATTRIBUTE = "attributes."
FIELDS = {"category": "categories", "brand": "brand", "currency": "currency", "in_stock": "in_stock"}
"""Facet -> the index's field. `price` is counted in ranges, `attributes.<name>` by the terms of all attributes."""
TERMS = "attribute_terms"

MAX_FACETS = 10
"""Facets of one search: each walks over all products of the filter, 2 to 40 ms at 20,000 of them."""
MAX_VALUES = 100
"""Values of one facet, the most frequent: more is a list to search in, not to choose from."""
MAX_TERMS = 10_000
"""Terms read for a facet of an attribute, the most frequent of all attributes together; codes, of which each product
has its own, are among the rest."""
MAX_RANGES = 10
"""Price ranges: what a shop's page shows without scrolling."""
_SKEWED = 20.0
"""When the dearest costs so many times the cheapest, ranges grow (10, 20, 50, 100): even ones would put nearly
everything into the first."""
_SERIES = ((1.0, 2.0, 5.0), (1.0, 5.0), (1.0,))


def is_facet(name: str) -> bool:
    """Whether products can be counted by this name."""
    attribute = name.removeprefix(ATTRIBUTE)
    return name in FIELDS or name == PRICE or (attribute != name and bool(re.fullmatch(ATTRIBUTE_PATTERN, attribute)))


def terms_of(attribute: str, counted: Iterable[Counted]) -> list[Counted]:
    """Of counted terms those of one attribute, by their values: `colour=red` -> `red`, `new!true` -> True."""
    found: list[Counted] = []
    for term, products in counted:
        name, value = str(term)[: len(attribute)], str(term)[len(attribute) :]
        if name == attribute and value[:1] == "=":
            found.append(Counted(value[1:], products))
        elif name == attribute and value[:1] == "!":
            found.append(Counted(value == "!true", products))
    return shown("", found)


def shown(facet: str, counted: Iterable[Counted]) -> list[Counted]:
    """The counts as an answer gives them: without the empty text of products that have none, stock as a flag."""
    flags = facet == "in_stock"
    kept = [Counted(bool(value) if flags else value, products) for value, products in counted if value != ""]
    return kept[:MAX_VALUES]


def counted_in(facet: str, payloads: Sequence[Payload]) -> list[Counted]:
    """The counts of these products; most frequent first, ties by value."""
    counts = Counter(value for payload in payloads for value in _values(facet, payload))
    ordered = sorted(counts.items(), key=lambda item: (-item[1], isinstance(item[0], str), item[0]))
    return shown(facet, (Counted(value, products) for value, products in ordered))


def prices_in(payloads: Sequence[Payload], currency: str) -> list[PriceRange]:
    """The price ranges of those of these products that have a price in this currency."""
    prices = [price for payload in payloads if (price := price_in(payload, currency)) is not None]
    if not prices:
        return []
    edges = price_edges(min(prices), max(prices))
    return [
        PriceRange(low, high, sum(low <= price < high or price == high == edges[-1] for price in prices))
        for low, high in pairwise(edges)
    ]


def price_in(payload: Payload, currency: str) -> float | None:
    """The price in this currency; None when there is none."""
    price = payload.get("price")
    return float(price) if isinstance(price, int | float) and payload.get("currency") == currency else None


def price_edges(least: float, greatest: float) -> list[float]:
    """Round bounds from at most `least` to at least `greatest`, for at most `MAX_RANGES` ranges."""
    if greatest > _SKEWED * least and greatest > 0:
        return _growing(least, greatest)
    step = 10.0 ** math.floor(math.log10(greatest)) / 100 if greatest > 0 else 1.0
    factors = iter((2.0, 2.5, 2.0) * 10)  # 1, 2, 5, 10, 20, 50 ...
    while math.ceil(_round(greatest / step)) - math.floor(_round(least / step)) > MAX_RANGES:
        step *= next(factors)
    first, last = math.floor(_round(least / step)), math.ceil(_round(greatest / step))
    return [_round(number * step) for number in range(first, max(last, first + 1) + 1)]


def _growing(least: float, greatest: float) -> list[float]:
    begin = max(least, greatest / 100.0)  # whatever costs less is one range from nothing
    low, high = math.floor(math.log10(begin)), math.ceil(math.log10(greatest))
    edges: list[float] = []
    for series in _SERIES:
        values = [_round(digit * 10.0**power) for power in range(low, high + 1) for digit in series]
        edges = [
            *[value for value in values if value <= begin][-1:],
            *(value for value in values if begin < value < greatest),
            *[value for value in values if value >= greatest][:1],
        ]
        if least < edges[0]:
            edges.insert(0, 0.0)
        if len(edges) <= MAX_RANGES + 1:
            break
    return edges


def _round(number: float) -> float:
    """Without the last digits that binary fractions add: 3 x 0.1 is 0.3."""
    return round(number, 6)


def _values(facet: str, payload: Payload) -> set[str | int]:
    """The values a product has, each once."""
    if facet == "category":
        return set(ancestors_of(str(payload.get("category", ""))))
    if not facet.startswith(ATTRIBUTE):
        plain = payload.get(FIELDS[facet])
        return {plain} if isinstance(plain, str | int) else set()
    name, attributes, flags = facet.removeprefix(ATTRIBUTE), payload.get("attributes"), payload.get("attribute_flags")
    value = attributes.get(name) if isinstance(attributes, dict) else None
    if isinstance(flags, list) and name in flags:
        return {bool(value)}
    if isinstance(value, list):
        return {entry for entry in value if isinstance(entry, str)}
    return {value} if isinstance(value, str) else set()
