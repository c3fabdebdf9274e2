"""What /openapi.json says beyond the routes' own types: bodies with two content types, errors, the key."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, TypeAlias

from flask_openapi import Info, RequestBody
from flask_openapi.models import MediaType, SecurityScheme
from flask_openapi.models import Response as Answer
from pydantic import BaseModel

from backend.api.schemas.problem import Problem

REF = "#/components/schemas/{model}"

INFO = Info(
    title="Shelfsight",
    version="1",
    description=(
        "Product image search. Upload products with pictures, find them by picture, words or product, under filters. "
        "Errors are application/problem+json with a stable `code`. "
        "`X-Shelfsight-Merchant` names whose catalog a request is about; without it that is `default`."
    ),
)
Answers: TypeAlias = dict[str | int | HTTPStatus, type[BaseModel] | Answer | dict[str, Any] | None]
SECURITY: dict[str, SecurityScheme | dict[str, Any]] = {
    "key": SecurityScheme(type="http", scheme="bearer", description="The platform key, where one is set.")
}
NEEDS_KEY: list[dict[str, list[Any]]] = [{"key": []}]


def body(models: dict[str, type[BaseModel] | dict[str, Any]], schemas: dict[str, Any]) -> RequestBody:
    """A request body by content type; the models' schemas are added to `schemas`."""
    content = {
        content_type: MediaType.model_validate(
            {"schema": model if isinstance(model, dict) else schema_ref(model, schemas)}
        )
        for content_type, model in models.items()
    }
    return RequestBody(content=content, required=True)


def schema_ref(model: type[BaseModel], schemas: dict[str, Any]) -> dict[str, str]:
    """A reference to a model's schema, which is added to `schemas` with everything it refers to."""
    schema = model.model_json_schema(ref_template=REF)
    schemas.update(schema.pop("$defs", {}))
    schemas[model.__name__] = schema
    return {"$ref": REF.format(model=model.__name__)}


def multipart(part: str, model: type[BaseModel], files: str, *, many: bool, schemas: dict[str, Any]) -> dict[str, Any]:
    """A multipart form: a JSON part and picture files."""
    file = {"type": "string", "format": "binary"}
    return {
        "type": "object",
        "properties": {part: schema_ref(model, schemas), files: {"type": "array", "items": file} if many else file},
    }


def answers(successes: Mapping[str, type[BaseModel] | dict[str, Any]], *failures: int) -> Answers:
    """Responses of a route: its successes, and a problem document for each failure it may give."""
    found: Answers = dict(successes.items())
    found.update({str(status): problem_answer(status) for status in sorted(failures)})
    return found


def problem_answer(status: int) -> dict[str, Any]:
    """The documentation of one failure."""
    return {
        "description": f"A problem with status {status}; `code` says which.",
        "content": {"application/problem+json": {"schema": {"$ref": REF.format(model=Problem.__name__)}}},
    }
