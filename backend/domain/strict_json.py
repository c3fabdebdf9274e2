"""JSON from outside, read so strictly that two readers never understand two things (RFC 8259, section 4 and 9)."""

import json
import math
from typing import Any, NoReturn

MAX_PARTS = 1_000_000
"""Commas and brackets of one text: small values take 20 times their bytes in memory."""

MAX_NAMES = 1_000
"""Of one object, which has 64 attributes at most: every name nobody knows is an error of its own."""


def strict_value(data: bytes) -> Any:
    """UTF-8, each name once per object, no NaN, no Infinity, no number beyond a double, and only so many values.

    Raises `ValueError` with what is wrong, in words that follow "it is not JSON: ".
    """
    if sum(data.count(mark) for mark in (b",", b"{", b"[")) > MAX_PARTS:
        raise ValueError(f"it has more than {MAX_PARTS} values")
    try:
        return json.loads(
            data.decode("utf-8"), parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_unique_names
        )
    except UnicodeDecodeError as err:
        raise ValueError("it is not UTF-8") from err
    except RecursionError as err:
        raise ValueError("it is nested too deeply") from err


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is beyond the range of a double")
    return number


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MAX_NAMES:
        raise ValueError(f"an object has more than {MAX_NAMES} fields")
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object names a field twice")
    return found
