"""Lines of a table that are one product: shop systems write a line for each of its variants and pictures."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from backend.errors import InvalidCsv
from backend.manifests.record import Record

MAX_GROUP_CHARS = 16_000_000  # far beyond the 2,000 variants a shop system admits; bounds what is held in memory


def grouped(
    records: Iterable[Record],
    belongs: Callable[[Record, Record], bool],
    is_first: Callable[[Record], bool] = lambda _: True,
) -> Iterator[list[Record]]:
    """Records with those after them that belong to them. Only neighbours meet: nothing else is held in memory.

    A record that could not be read stands alone and does not part its neighbours. When it may have been the first of
    those behind it (none of which `is_first`), they are refused with it: what is left of a product must not replace it.
    """
    group: list[Record] = []
    chars = 0
    refused: Record | None = None
    for record in records:
        if record.error is not None:
            refused = record
            yield [record]
            continue
        size = sum(map(len, record.values))
        if group and belongs(group[0], record):
            chars += size
            if chars <= MAX_GROUP_CHARS:
                group.append(record)
            else:
                wrong = InvalidCsv(f"the lines of one product have more than {MAX_GROUP_CHARS} characters")
                group = [replace(group[0], error=wrong)]
            refused = None
            continue
        if group:
            yield group
        if refused is not None and not is_first(record):
            wrong = InvalidCsv(f"its first line is missing: line {refused.line} could not be read")
            record = replace(record, error=wrong)  # noqa: PLW2901
        refused = None
        group, chars = [record], size
    if group:
        yield group
