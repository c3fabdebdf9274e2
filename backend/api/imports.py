"""/v1/imports: many products at once."""

import tempfile
from typing import IO

from flask import Response, g, jsonify, request
from flask_openapi import APIBlueprint, Tag

from backend.api import received, reference
from backend.api.schemas.job import ImportAccepted
from backend.errors import BodyTooLarge, InvalidField, MissingBody
from backend.settings import Settings
from backend.usecases.services import Services

IMPORTS = Tag(name="imports", description="Many products at once.")
_CHUNK = 1 << 20


def blueprint(services: Services, settings: Settings) -> APIBlueprint:
    """The routes."""
    routes = APIBlueprint(
        "imports", __name__, url_prefix="/v1/imports", abp_tags=[IMPORTS], abp_security=reference.NEEDS_KEY
    )
    binary = {"type": "string", "format": "binary"}
    body = reference.body(
        {
            received.ZIP: binary,
            received.MULTIPART: {"type": "object", "properties": {"file": binary}, "required": ["file"]},
        },
        routes.components_schemas,
    )

    @routes.post(
        "",
        summary="Import a ZIP: products.csv and the pictures it names",
        request_body=body,
        responses=reference.answers({"202": ImportAccepted}, 400, 401, 413, 415, 422, 503),
    )
    def post_import() -> tuple[Response, int, dict[str, str]]:
        request.max_content_length = settings.limits.max_import_bytes
        with _source(settings.limits.max_import_bytes) as source:
            job_id, ignored = services.open_import(g.merchant, source)
        accepted = ImportAccepted(job_id=job_id, ignored_columns=list(ignored))
        return jsonify(accepted.model_dump()), 202, {"Location": f"/v1/jobs/{job_id}"}

    return routes


def _source(max_bytes: int) -> IO[bytes]:
    """The uploaded file, on disk and seekable, whatever way it came."""
    if received.content_type(request, received.ZIP, received.MULTIPART) == received.MULTIPART:
        found = received.files(request, "file", beside="file")
        if len(found) != 1:
            raise InvalidField("send one file named 'file'", field="file")
        return found[0].stream
    source = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    size = 0
    while chunk := request.stream.read(_CHUNK):
        size += len(chunk)
        if size > max_bytes:  # a chunked body tells its length only as it comes
            source.close()
            raise BodyTooLarge
        source.write(chunk)
    if not size:
        source.close()
        raise MissingBody
    source.seek(0)
    return source
