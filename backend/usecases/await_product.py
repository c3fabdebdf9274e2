"""Wait a little for one product, for callers who would rather wait than ask again."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from backend.domain.product import ProductKey, ProductRecord
from backend.ports import Catalog

_PAUSE_SECONDS = 0.005  # a look costs a fraction of a millisecond; an embedding takes tens


@dataclass(frozen=True)
class AwaitProduct:
    """Looks at the row until the version is reconciled."""

    catalog: Catalog
    sleep: Callable[[float], None] = time.sleep

    def __call__(self, key: ProductKey, version: int, seconds: float) -> ProductRecord | None:
        """The row once this version, or a later one, is searchable or failed; None when time is up."""
        until = time.monotonic() + seconds
        while True:
            record = self.catalog.product(key)
            if record is not None and record.indexed_version >= version:
                return record
            if time.monotonic() >= until:
                return None
            self.sleep(_PAUSE_SECONDS)
