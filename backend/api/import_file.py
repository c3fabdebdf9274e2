"""The file of an import as it came: on disk whatever its size, hashed on the way, its form known."""

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO

from flask import Request
from pydantic import BaseModel, ConfigDict, Field

from backend.api import received
from backend.domain.importing import FileForm, ImportMode, ImportOptions
from backend.errors import BodyTooLarge, InvalidField, InvalidMapping, MissingBody, UnsupportedBody

FORMS = {
    received.ZIP: FileForm.ZIP,
    "text/csv": FileForm.CSV,
    "text/tab-separated-values": FileForm.TSV,
    "application/x-ndjson": FileForm.JSON_LINES,
    "application/jsonl": FileForm.JSON_LINES,
    received.JSON: FileForm.JSON,
    "application/rss+xml": FileForm.RSS,
    "application/xml": FileForm.RSS,
    "text/xml": FileForm.RSS,
}
"""Content type -> form."""
_ENDINGS = {
    ".zip": FileForm.ZIP,
    ".csv": FileForm.CSV,
    ".tsv": FileForm.TSV,
    ".jsonl": FileForm.JSON_LINES,
    ".ndjson": FileForm.JSON_LINES,
    ".json": FileForm.JSON,
    ".xml": FileForm.RSS,
    ".rss": FileForm.RSS,
}
_CHUNK = 1 << 20


class ImportParameters(BaseModel):
    """How a file is to be read."""

    model_config = ConfigDict(extra="forbid")

    mode: ImportMode = Field(
        ImportMode.REPLACE,
        description="`replace`: a row is the whole product. `patch`: a row changes the facts it names; pictures stay.",
    )
    columns: list[str] | None = Field(
        None, alias="map", description="`field=column`: the file's name for a product's field. Repeat for several."
    )
    form: FileForm | None = Field(None, description="The file's form, where content type and name do not tell it.")

    def options(self, form: FileForm) -> ImportOptions:
        """For the use case. Raises `InvalidMapping`."""
        return ImportOptions(form, self.mode, _columns(self.columns or ()))


@dataclass(frozen=True, slots=True)
class ImportFile:
    """The file, seekable. `digest`: the body's sha-256; None when it came in a form, which is hashed by its parts."""

    stream: IO[bytes]
    form: FileForm
    digest: bytes | None


@contextmanager
def import_file(request: Request, form: FileForm | None, *, max_bytes: int) -> Iterator[ImportFile]:
    """The uploaded file; `form` is what the caller says it is. Gone from disk when the block ends.

    Raises `MissingBody`, `UnsupportedBody`, `InvalidField`, `UnknownField`, or `BodyTooLarge`.
    """
    if request.mimetype == received.MULTIPART:
        request.max_content_length = max_bytes
        found = received.files(request, "file", beside="file")
        if len(found) != 1:
            raise InvalidField("send one file named 'file'", field="file")
        ending = PurePosixPath(found[0].filename or "").suffix.lower()
        known = form or FORMS.get(found[0].mimetype) or _ENDINGS.get(ending)
        if known is None:
            raise UnsupportedBody(f"neither the part's content type nor its name is one of {', '.join(FORMS)}")
        with found[0].stream as stream:
            yield ImportFile(stream, known, None)
        return
    known = form or FORMS[received.content_type(request, *FORMS)]
    request.max_content_length = max_bytes
    with tempfile.TemporaryFile() as copy:
        digest = _copied(request.stream, copy, max_bytes)
        yield ImportFile(copy, known, digest)


def _copied(source: IO[bytes], copy: IO[bytes], max_bytes: int) -> bytes:
    """The sha-256 of what was copied."""
    digest = hashlib.sha256()
    while chunk := source.read(_CHUNK):
        digest.update(chunk)
        copy.write(chunk)
        if copy.tell() > max_bytes:  # a chunked body tells its length only as it comes
            raise BodyTooLarge
    if not copy.tell():
        raise MissingBody
    copy.seek(0)
    return digest.digest()


def _columns(given: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in given:
        name, equals, column = item.partition("=")
        if not (name and equals and column):
            raise InvalidMapping(f"{item[:100]!r} is not field=column", field="map")
        if name in found:
            raise InvalidMapping(f"{name[:100]} is mapped twice", field="map")
        found[name] = column
    return found
