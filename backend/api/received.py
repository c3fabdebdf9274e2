"""What came in: the body's content type, its JSON, its parts and its files."""

from typing import TypeVar

from flask import Request
from pydantic import BaseModel
from werkzeug.datastructures import FileStorage

from backend.api.schemas.body import parse
from backend.errors import FieldError, InvalidField, MissingBody, UnknownField, UnsupportedBody
from backend.usecases.keep_pictures import Upload

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
PROBLEM = "application/problem+json"
MULTIPART = "multipart/form-data"
ZIP = "application/zip"

Model = TypeVar("Model", bound=BaseModel)


def content_type(request: Request, *allowed: str) -> str:
    """The body's content type, one of `allowed`. Raises `MissingBody` or `UnsupportedBody`."""
    if request.mimetype in allowed:
        return request.mimetype
    if not request.mimetype and not request.content_length:
        raise MissingBody(f"a body is needed: {' or '.join(allowed)}")
    raise UnsupportedBody(f"{request.mimetype or 'no content type'}: this route reads {' or '.join(allowed)}")


def json_part(request: Request, name: str, model: type[Model]) -> Model:
    """A part of a form that holds JSON, sent as a field or as a file."""
    if (file := request.files.get(name)) is not None:
        return parse(model, file.read())
    if (text := request.form.get(name)) is not None:
        return parse(model, text.encode("utf-8", "surrogatepass"))
    raise InvalidField(f"the form needs a part named {name!r} with JSON", field=name)


def files(request: Request, name: str, *, beside: str) -> list[FileStorage]:
    """The files of one name. Any part with another name (but `beside`) is refused."""
    known = {name, beside}
    unknown = [part for part in (*request.form, *request.files) if part not in known]
    if name in request.form:
        raise InvalidField(f"{name}: send the picture as a file", field=name)
    if unknown:
        wrong = [FieldError(part[:100], UnknownField.code, "no such part") for part in unknown]
        raise UnknownField("the form has unknown parts", errors=wrong)
    return request.files.getlist(name)


def uploads(found: list[FileStorage]) -> list[Upload]:
    """Files as pictures to keep. Their names are shown again and never used as paths."""
    return [Upload(file.filename or "", file.read) for file in found]
