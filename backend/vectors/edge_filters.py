"""The words of Qdrant Edge's filters."""

from collections.abc import Sequence
from typing import TypeAlias

import qdrant_edge

from backend.domain.filters import Between

Leaf: TypeAlias = qdrant_edge.FieldCondition | qdrant_edge.HasIdCondition


class EdgeDialect:
    """See `backend.vectors.filters.Dialect`. Keys need no quotes: Edge reads letters, digits, `-` and `_` as names."""

    def matching(self, field: str, values: list[str] | list[int]) -> Leaf:
        """The field, or an entry of its list, equals one of `values`."""
        one = len(values) == 1
        match = qdrant_edge.MatchValue(values[0]) if one else qdrant_edge.MatchAny(values)
        return qdrant_edge.FieldCondition(key=field, match=match)

    def between(self, wanted: Between) -> Leaf:
        """The number, or an entry of the list, lies in the range."""
        bounds = qdrant_edge.RangeFloat(gte=wanted.gte, gt=wanted.gt, lte=wanted.lte, lt=wanted.lt)
        return qdrant_edge.FieldCondition(key=wanted.field, range=bounds)

    def nothing(self) -> Leaf:
        """No point has one of no ids."""
        return qdrant_edge.HasIdCondition(set())

    def group(
        self,
        must: Sequence[Leaf | qdrant_edge.Filter] = (),
        any_of: Sequence[Leaf | qdrant_edge.Filter] = (),
        must_not: Sequence[Leaf | qdrant_edge.Filter] = (),
    ) -> qdrant_edge.Filter:
        """All of `must`, at least one of `any_of` when there are any, none of `must_not`."""
        return qdrant_edge.Filter(must=[*must], should=[*any_of], must_not=[*must_not])
