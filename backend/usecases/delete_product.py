"""Delete a product: out of every answer at once, out of the index a moment later."""

from dataclasses import dataclass

from backend.domain.job import JobKind
from backend.domain.product import ProductKey
from backend.domain.work import Accepted, Change, Receipt, Work
from backend.ports import Catalog, Doorbell
from backend.usecases.read_product import live_product


@dataclass(frozen=True)
class DeleteProduct:
    """Leaves a row that says "deleted" until the index has forgotten the product."""

    catalog: Catalog
    doorbell: Doorbell

    def __call__(self, key: ProductKey, receipt: Receipt | None = None) -> Accepted:
        """Raises `ProductNotFound` when there is no such product (any more), `RepeatedRequest`."""
        live_product(self.catalog, key)
        [accepted] = self.catalog.accept([Change(key, None)], JobKind.DELETE, receipt)
        self.doorbell.ring(Work.FACTS)
        return accepted
