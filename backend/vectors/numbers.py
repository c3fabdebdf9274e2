"""Which attributes are numbers: merchants name them, and each needs an index of its own to be asked for by range.

Without one an engine reads the payload of every product that has such a number (found by `attribute_numbers`): the
embedded one's process stands still for 0.47 s at 50,000 pictures, where an index takes 3 ms.
"""

from collections.abc import Iterable

from backend.domain.payload import Payload

MAX_NUMBER_FIELDS = 64
"""Each takes memory and slows every write a little. Attributes beyond are found all the same, slowly."""

PREFIX = "attributes."


def number_fields(payloads: Iterable[Payload]) -> set[str]:
    """The fields (`attributes.weight`) in which these payloads have numbers. Flags, stored as 0 and 1, are none."""
    return {f"{PREFIX}{name}" for payload in payloads for name in _numbers_of(payload)}


def unmet(fields: set[str], met: set[str]) -> list[str]:
    """Those nobody met before, as far as there may be more."""
    return sorted(fields - met)[: max(0, MAX_NUMBER_FIELDS - len(met))]


def _numbers_of(payload: Payload) -> Iterable[str]:
    attributes, flags = payload.get("attributes"), payload.get("attribute_flags")
    if not isinstance(attributes, dict):
        return ()
    named = flags if isinstance(flags, list) else ()
    return (name for name, value in attributes.items() if isinstance(value, int | float) and name not in named)
