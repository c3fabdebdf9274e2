"""JSON that two readers could understand in two ways is understood by none."""

from typing import Any

import pytest

from backend.domain.strict_json import MAX_NAMES, MAX_PARTS, strict_value


@pytest.mark.parametrize(
    ("text", "value"),
    [(b'{"a": [1, 2.5, "x", null]}', {"a": [1, 2.5, "x", None]}), ('"Rö"'.encode(), "Rö"), (b" 1e3 ", 1000.0)],
)
def test_json_is_read(text: bytes, value: Any) -> None:
    assert strict_value(text) == value


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b'{"a": 1, "a": 2}', "names a field twice"),
        (b"NaN", "NaN is not a JSON number"),
        (b"[-Infinity]", "-Infinity is not a JSON number"),
        (b"1e999", "beyond the range of a double"),
        (b'"\xff"', "not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[" + b"1," * MAX_PARTS + b"1]", f"more than {MAX_PARTS} values"),
        (b"{" + b",".join(b'"%d": 1' % n for n in range(MAX_NAMES + 1)) + b"}", f"more than {MAX_NAMES} fields"),
        (b"{'a': 1}", "Expecting property name"),
        (b"", "Expecting value"),
    ],
)
def test_what_is_not_is_refused_with_a_reason(text: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        strict_value(text)
