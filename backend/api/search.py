"""/v1/search: by picture, words, both, or a product, under filters."""

from flask import Response, g, jsonify, request
from flask_openapi import APIBlueprint, Tag

from backend.api import received, reference
from backend.api.schemas.body import parse
from backend.api.schemas.results import ResultsView, results_out
from backend.api.schemas.search import SearchBody, SearchParameters
from backend.errors import InvalidField
from backend.settings import Settings
from backend.usecases.services import Services

SEARCH = Tag(name="search", description="Find products.")


def blueprint(services: Services, settings: Settings) -> APIBlueprint:
    """The routes."""
    routes = APIBlueprint(
        "search", __name__, url_prefix="/v1/search", abp_tags=[SEARCH], abp_security=reference.NEEDS_KEY
    )
    schemas = routes.components_schemas
    body = reference.body(
        {
            received.JSON: SearchBody,
            received.MULTIPART: reference.multipart("query", SearchBody, "image", many=False, schemas=schemas),
        },
        schemas,
    )
    failures = (400, 401, 404, 413, 415, 422, 503)

    def answer(wanted: SearchBody, image: bytes | None = None) -> Response:
        query = wanted.query(g.merchant, image=image, limits=settings.limits, default_currency=settings.currency)
        verb = services.search_products  # once: another index may come to serve meanwhile
        return jsonify(results_out(verb(query), query, verb.space))

    @routes.post(
        "",
        summary="Search by picture, words, both, or a product",
        request_body=body,
        responses=reference.answers({"200": ResultsView}, *failures),
    )
    def post_search() -> Response:
        if received.content_type(request, received.JSON, received.MULTIPART) == received.JSON:
            return answer(parse(SearchBody, request.get_data()))
        found = received.files(request, "image", beside="query")
        if len(found) > 1:
            raise InvalidField("one query picture", field="image")
        has_query = "query" in request.form or "query" in request.files
        wanted = received.json_part(request, "query", SearchBody) if has_query else SearchBody()
        return answer(wanted, found[0].read() if found else None)

    @routes.get("", summary="The simple search", responses=reference.answers({"200": ResultsView}, *failures))
    def get_search(query: SearchParameters) -> Response:
        return answer(query.body())

    return routes
