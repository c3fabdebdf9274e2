"""/v1/index/check: whether searches find what exact ones find."""

from flask import Response, g, jsonify
from flask_openapi import APIBlueprint, Tag
from pydantic import BaseModel, ConfigDict, Field

from backend.api import reference
from backend.api.schemas.check import CheckView
from backend.usecases.check_index import SAMPLE
from backend.usecases.services import Services

CHECKS = Tag(name="checks", description="The quality of the index.")


class CheckParameters(BaseModel):
    """How much to check."""

    model_config = ConfigDict(extra="forbid")

    products: int = Field(
        SAMPLE, ge=1, le=100, description="Products drawn at random; each is asked for some ten times."
    )


def blueprint(services: Services) -> APIBlueprint:
    """The route."""
    routes = APIBlueprint("checks", __name__, abp_tags=[CHECKS], abp_security=reference.NEEDS_KEY)

    @routes.post(
        "/v1/index/check",
        summary="Compare searches with exact ones",
        responses=reference.answers({"200": CheckView}, 400, 401, 503),
    )
    def post_check(query: CheckParameters) -> Response:
        checked = services.check_index(g.merchant, query.products)
        return jsonify(CheckView.of(checked).model_dump(mode="json"))

    return routes
