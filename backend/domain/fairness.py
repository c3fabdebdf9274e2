"""Whose turn it is: merchants share workers by weight, so that a large import of one holds up nobody else.

Stride scheduling (Waldspurger and Weihl, 1995, "Stride Scheduling: Deterministic Proportional-Share Resource
Management"): each turn adds 1 / weight to the merchant's pass, and the next turn is of the lowest pass. A merchant that
had nothing to do comes back at the virtual time, which is where the others are: idleness earns no credit.
"""

import heapq
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Turns:
    """How far each merchant is. One that is missing in `passes`, or behind it, is at `virtual_time`."""

    virtual_time: float = 0.0
    passes: Mapping[str, float] = field(default_factory=dict)

    def pass_of(self, merchant: str) -> float:
        """Where the merchant stands now."""
        return max(self.passes.get(merchant, self.virtual_time), self.virtual_time)


def shares(turns: Turns, waiting: Mapping[str, int], weights: Mapping[str, int], limit: int) -> dict[str, int]:
    """Merchant -> how many of the `limit` next turns are its own; in the order in which they come to their first.

    `waiting`: how many turns each could use, at most. `weights`: turns for one of a merchant that is not
    named; less than one counts as one.
    """
    slots: dict[str, int] = {}
    queue = [(turns.pass_of(merchant), merchant) for merchant, count in waiting.items() if count > 0]
    heapq.heapify(queue)
    for _ in range(limit):
        if not queue:
            break
        at, merchant = queue[0]
        slots[merchant] = slots.get(merchant, 0) + 1
        if slots[merchant] < waiting[merchant]:
            heapq.heapreplace(queue, (at + _stride(merchant, weights), merchant))
        else:
            heapq.heappop(queue)
    return slots


def after(turns: Turns, waiting: Collection[str], weights: Mapping[str, int], taken: Mapping[str, int]) -> Turns:
    """The turns once `taken` were used. The virtual time follows the merchant that is furthest behind of those waiting.

    Only those ahead of it are kept: all others stand at it.
    """
    passes = {merchant: turns.pass_of(merchant) for merchant in {*turns.passes, *waiting, *taken}}
    for merchant, count in taken.items():
        passes[merchant] += count * _stride(merchant, weights)
    virtual_time = min((passes[merchant] for merchant in {*waiting, *taken}), default=turns.virtual_time)
    return Turns(virtual_time, {merchant: at for merchant, at in passes.items() if at > virtual_time})


def _stride(merchant: str, weights: Mapping[str, int]) -> float:
    return 1.0 / max(weights.get(merchant, 1), 1)
