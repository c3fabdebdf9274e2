"""/v1/index/snapshots: a copy of the index, for whoever makes a backup beside this server."""

from flask import Response, jsonify
from flask_openapi import APIBlueprint, Tag
from pydantic import BaseModel

from backend.api import reference
from backend.usecases.services import Services

SNAPSHOTS = Tag(name="snapshots", description="Copies of the index.")


class SnapshotView(BaseModel):
    """A copy of the index. `name`: its folder below `snapshots` in the data directory. `number`: its generation."""

    name: str
    number: int


def blueprint(services: Services) -> APIBlueprint:
    """The route. It writes nowhere but to the data directory, whatever is asked."""
    routes = APIBlueprint("snapshots", __name__, abp_tags=[SNAPSHOTS], abp_security=reference.NEEDS_KEY)

    @routes.post(
        "/v1/index/snapshots",
        summary="Lay a copy of the index in the data directory",
        responses=reference.answers({"201": SnapshotView}, 401, 503),
    )
    def post_snapshot() -> tuple[Response, int]:
        laid = services.snapshot_index()
        return jsonify(SnapshotView(name=laid.name, number=laid.number).model_dump()), 201

    return routes
