"""Errors as JSON: RFC 9457 problem documents with our stable codes."""

from pydantic import BaseModel, Field


class FieldProblem(BaseModel):
    """One thing wrong with one field."""

    field: str
    code: str
    message: str


class Problem(BaseModel):
    """What went wrong, where, and how to mend it."""

    type: str
    title: str
    status: int
    code: str = Field(description="Stable; docs/errors.md lists all of them.")
    detail: str
    mend: str = Field(description="How to put it right.")
    errors: list[FieldProblem]
    request_id: str = Field(description="Also in the X-Request-Id header and in the server's log.")
