"""Reading request bodies strictly: what is not understood is refused with its field, never ignored."""

import json
import math
from collections.abc import Sequence
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from backend.domain.product_facts import shown
from backend.errors import FieldError, InvalidField, InvalidInput, InvalidJson, MissingBody, UnknownField

_MAX_PARTS = (
    1_000_000  # commas and brackets, as in a row of an import: small values take 20 times their bytes in memory
)
_MAX_NAMES = 1_000  # of one object, which has 64 attributes at most: every name nobody knows is an error of its own
_ERRORS_LISTED = 100  # a person mends the first few; a hundred thousand would be an answer of 20 MB
_ERRORS_TOLD = 10  # in the one sentence of `detail`


class StrictBody(BaseModel):
    """A JSON object whose fields are all known and have exactly the types they say."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


Model = TypeVar("Model", bound=BaseModel)


def parse(model: type[Model], data: bytes) -> Model:
    """A model from JSON bytes. Raises `MissingBody`, `InvalidJson`, `UnknownField` or `InvalidField`."""
    if not data.strip():
        raise MissingBody
    try:
        return model.model_validate(json_value(data))
    except ValidationError as err:
        raise invalid(err) from err


def json_value(data: bytes) -> object:
    """RFC 8259 JSON, strictly: UTF-8, each name once per object, no NaN, no Infinity, no number beyond a double."""
    if sum(data.count(mark) for mark in (b",", b"{", b"[")) > _MAX_PARTS:
        raise InvalidJson(f"the body has more than {_MAX_PARTS} values")
    try:
        return json.loads(
            data.decode("utf-8"), parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_unique_names
        )
    except UnicodeDecodeError as err:
        raise InvalidJson("the body is not UTF-8") from err
    except RecursionError as err:
        raise InvalidJson("the body is nested too deeply") from err
    except ValueError as err:
        raise InvalidJson(f"the body is not JSON: {err}") from err


def invalid(err: ValidationError) -> InvalidInput:
    """Our error from pydantic's, with each field by its path; of very many wrong fields the first."""
    every = err.errors(include_url=False, include_input=False)
    found = [
        FieldError(
            shown(".".join(str(part) for part in item["loc"])) or "body",
            UnknownField.code if item["type"] == "extra_forbidden" else InvalidField.code,
            "no such field" if item["type"] == "extra_forbidden" else item["msg"],
        )
        for item in every[:_ERRORS_LISTED]
    ]
    branch = UnknownField if all(item["type"] == "extra_forbidden" for item in every) else InvalidField
    return branch(_sentence(found, len(every)), errors=found)


def _sentence(found: Sequence[FieldError], count: int) -> str:
    told = [f"{item.field}: {item.message}" for item in found[:_ERRORS_TOLD]]
    return "; ".join(told if count <= _ERRORS_TOLD else [*told, f"and {count - _ERRORS_TOLD} more"])


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is beyond the range of a double")
    return number


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > _MAX_NAMES:
        raise ValueError(f"an object has more than {_MAX_NAMES} fields")
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object names a field twice")
    return found
