"""Reading request bodies strictly: what is not understood is refused with its field, never ignored."""

from collections.abc import Sequence
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from backend.domain.product_facts import shown
from backend.domain.strict_json import strict_value
from backend.errors import FieldError, InvalidField, InvalidInput, InvalidJson, MissingBody, UnknownField

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
    """See `backend.domain.strict_json`. Raises `InvalidJson`."""
    try:
        return strict_value(data)
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
