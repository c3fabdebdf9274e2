"""/v1/imports: many products at once."""

from flask import Response, g, jsonify, request
from flask_openapi import APIBlueprint, Tag

from backend.api import received, reference
from backend.api.idempotency import WriteHeaders, once
from backend.api.import_file import FORMS, ImportFile, ImportParameters, import_file
from backend.api.schemas.job import ImportAccepted
from backend.domain.work import Receipt
from backend.settings import Settings
from backend.usecases.services import Services

IMPORTS = Tag(name="imports", description="Many products at once.")


def blueprint(services: Services, settings: Settings) -> APIBlueprint:
    """The routes."""
    routes = APIBlueprint(
        "imports", __name__, url_prefix="/v1/imports", abp_tags=[IMPORTS], abp_security=reference.NEEDS_KEY
    )
    binary = {"type": "string", "format": "binary"}
    form = {"type": "object", "properties": {"file": binary}, "required": ["file"]}
    body = reference.body({**dict.fromkeys(FORMS, binary), received.MULTIPART: form}, routes.components_schemas)

    def accepted(query: ImportParameters, source: ImportFile, receipt: Receipt | None) -> Response:
        opened = services.open_import(g.merchant, source.stream, query.options(source.form), receipt)
        view = ImportAccepted(
            job_id=opened.job_id, dialect=opened.dialect, ignored_columns=list(opened.ignored_columns)
        )
        answer = jsonify(view.model_dump())
        answer.status_code = 202
        answer.headers["Location"] = f"/v1/jobs/{opened.job_id}"
        return answer

    @routes.post(
        "",
        summary="Import a file: CSV, TSV, JSON lines, JSON, RSS, or a ZIP of one of them and its pictures",
        request_body=body,
        responses=reference.answers({"202": ImportAccepted}, 400, 401, 409, 413, 415, 422, 429, 503),
    )
    def post_import(query: ImportParameters, header: WriteHeaders) -> Response:
        services.admit.imports(g.merchant)  # before the body is read
        with import_file(request, query.form, max_bytes=settings.limits.max_import_bytes) as source:
            return once(services, header, lambda receipt: accepted(query, source, receipt), digest=source.digest)

    return routes
