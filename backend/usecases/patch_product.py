"""Change a product's facts and leave its pictures alone: the model is not called."""

from collections.abc import Mapping
from dataclasses import dataclass

from backend.domain.job import JobKind
from backend.domain.product import ProductKey
from backend.domain.product_facts import facts_of, product_of
from backend.errors import Conflict
from backend.ports import Accepted, Catalog, Change, Doorbell
from backend.usecases.read_product import live_product

_TRIES = 5  # each loss means somebody else succeeded; five in a row needs a stampede on one product


@dataclass(frozen=True)
class PatchProduct:
    """JSON merge patch (RFC 7396) of the facts."""

    catalog: Catalog
    doorbell: Doorbell
    default_currency: str

    def __call__(self, key: ProductKey, patch: Mapping[str, object]) -> Accepted:
        """Merge and accept. Raises `ProductNotFound`, `InvalidField`, `UnknownField`, or after races `Conflict`."""
        for _ in range(_TRIES):
            record = live_product(self.catalog, key)
            facts = _merged(facts_of(record.product), patch)
            product = product_of(key, facts, default_currency=self.default_currency)
            try:
                [accepted] = self.catalog.accept(
                    [Change(key, product, expected_version=record.version)], JobKind.UPDATE
                )
            except Conflict:
                continue
            self.doorbell.ring_products()
            return accepted
        raise Conflict


def _merged(facts: Mapping[str, object], patch: Mapping[str, object]) -> dict[str, object]:
    """Null removes, objects merge, anything else replaces."""
    merged = dict(facts)
    for name, value in patch.items():
        if value is None:
            merged[name] = None
        elif isinstance(value, Mapping) and isinstance(known := facts.get(name), Mapping):
            kept = {**known, **value}
            merged[name] = {inner: item for inner, item in kept.items() if item is not None}
        else:
            merged[name] = value
    return merged
