"""Change a product's facts and leave its pictures alone: the model is not called."""

from collections.abc import Mapping
from dataclasses import dataclass

from backend.domain.job import JobKind
from backend.domain.product import ProductKey
from backend.domain.product_facts import patched
from backend.domain.work import Accepted, Change, Receipt, Work
from backend.errors import Conflict, RepeatedRequest
from backend.ports import Catalog, Doorbell
from backend.usecases.read_product import live_product

_TRIES = 5  # each loss means somebody else succeeded; five in a row needs a stampede on one product


@dataclass(frozen=True)
class PatchProduct:
    """JSON merge patch (RFC 7396) of the facts."""

    catalog: Catalog
    doorbell: Doorbell
    default_currency: str

    def __call__(self, key: ProductKey, patch: Mapping[str, object], receipt: Receipt | None = None) -> Accepted:
        """Merge and accept. Raises `ProductNotFound`, what `patched` raises, `RepeatedRequest`, `Conflict`."""
        for _ in range(_TRIES):
            record = live_product(self.catalog, key)
            product = patched(record.product, patch, default_currency=self.default_currency)
            try:
                [accepted] = self.catalog.accept(
                    [Change(key, product, expected_version=record.version)], JobKind.UPDATE, receipt
                )
            except RepeatedRequest:
                raise
            except Conflict:
                continue
            self.doorbell.ring(Work.FACTS)
            return accepted
        raise Conflict
