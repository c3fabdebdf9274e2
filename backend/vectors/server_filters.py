"""The words of a Qdrant server's filters."""

from collections.abc import Sequence
from typing import TypeAlias

from qdrant_client import models

from backend.domain.filters import Between

Leaf: TypeAlias = models.FieldCondition | models.HasIdCondition


class ServerDialect:
    """See `backend.vectors.filters.Dialect`."""

    def matching(self, field: str, values: list[str] | list[int]) -> Leaf:
        """The field, or an entry of its list, equals one of `values`."""
        one = len(values) == 1
        match = models.MatchValue(value=values[0]) if one else models.MatchAny(any=values)
        return models.FieldCondition(key=field, match=match)

    def between(self, wanted: Between) -> Leaf:
        """The number, or an entry of the list, lies in the range."""
        bounds = models.Range(gte=wanted.gte, gt=wanted.gt, lte=wanted.lte, lt=wanted.lt)
        return models.FieldCondition(key=wanted.field, range=bounds)

    def nothing(self) -> Leaf:
        """No point has one of no ids."""
        return models.HasIdCondition(has_id=[])

    def group(
        self,
        must: Sequence[Leaf | models.Filter] = (),
        any_of: Sequence[Leaf | models.Filter] = (),
        must_not: Sequence[Leaf | models.Filter] = (),
    ) -> models.Filter:
        """All of `must`, at least one of `any_of` when there are any, none of `must_not`."""
        return models.Filter(must=list(must), should=list(any_of), must_not=list(must_not))
