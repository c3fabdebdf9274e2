"""How two indexes answer the same questions: how much they agree, and which of them finds what belongs together."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import mean
from typing import NamedTuple

from backend.domain.product import ProductKey, ProductState
from backend.ports import Catalog, Indexes

DEPTH = 10
"""What a person sees without scrolling, and the depth most published comparisons use."""

KEYS_READ = 1_024


class Golden(NamedTuple):
    """A question: products like one of a merchant's, or words. `category`: what answers should be; "" if unknown."""

    merchant: str
    product_id: str | None = None
    text: str | None = None
    category: str = ""


class Found(NamedTuple):
    """A product an index answered with."""

    product_id: str
    category: str


Answers = Callable[[Golden], Sequence[Found]]
"""What an index answers, the best `DEPTH` first."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Over `queries` questions: `overlap`, the mean share of the first ten both name; over the `labelled` ones, whose
    category is known: `before` and `after`, the mean share of the first ten that are of it (precision at ten).
    """

    queries: int
    overlap: float
    labelled: int
    before: float
    after: float

    def as_numbers(self) -> dict[str, float]:
        """To be kept."""
        return asdict(self)


def compare_indexes(old: Answers, new: Answers, golden: Iterable[Golden]) -> Comparison:
    """Ask both. Questions neither answers say nothing and are left out."""
    overlaps: list[float] = []
    before: list[float] = []
    after: list[float] = []
    for question in golden:
        was, now = old(question)[:DEPTH], new(question)[:DEPTH]
        if not was and not now:
            continue
        shared = {it.product_id for it in was} & {it.product_id for it in now}
        overlaps.append(len(shared) / max(len(was), len(now)))
        if question.category:
            before.append(_share(was, question.category))
            after.append(_share(now, question.category))
    return Comparison(len(overlaps), _mean(overlaps), len(before), _mean(before), _mean(after))


def sampled(catalog: Catalog, indexes: Indexes, number: int) -> list[Golden]:
    """Searchable products as questions, drawn evenly from all merchants': the same ones for the same catalog."""
    drawn = _drawn(_keys(indexes), number)
    records = sorted(catalog.products(drawn), key=lambda record: record.product.key)
    return [
        Golden(record.product.key.merchant, product_id=record.product.key.product_id, category=record.product.category)
        for record in records
        if record.state is ProductState.SEARCHABLE
    ]


def _keys(indexes: Indexes) -> Iterator[ProductKey]:
    after = None
    while keys := indexes.keys_after(after, KEYS_READ):
        yield from keys
        after = keys[-1]


def _drawn(keys: Iterable[ProductKey], number: int) -> list[ProductKey]:
    """Each with the same chance, whatever their number (Vitter 1985, algorithm R)."""
    draw, kept = random.Random(0), list[ProductKey]()  # noqa: S311 - no secret; the same questions each time
    for seen, key in enumerate(keys):
        if seen < number:
            kept.append(key)
        elif (place := draw.randrange(seen + 1)) < number:
            kept[place] = key
    return kept


def _share(found: Sequence[Found], category: str) -> float:
    return sum(it.category == category for it in found) / len(found) if found else 0.0


def _mean(values: Sequence[float]) -> float:
    return round(mean(values), 4) if values else 0.0
