"""/v1/status and /v1/index for people, /healthz and /readyz for orchestrators."""

from datetime import UTC, datetime
from importlib.metadata import version

from flask import Response, g, jsonify
from flask_openapi import APIBlueprint, Tag

from backend.api import reference
from backend.api.schemas.index import GenerationView, IndexGenerationsView
from backend.api.schemas.status import HealthView, ReadyView, StatusView
from backend.settings import Settings
from backend.usecases.services import Services

HEALTH = Tag(name="health", description="How the installation is doing.")
VERSION = version("shelfsight")


def blueprint(services: Services, settings: Settings) -> APIBlueprint:
    """The routes."""
    routes = APIBlueprint("health", __name__, abp_tags=[HEALTH])

    @routes.get(
        "/v1/status",
        summary="Counts, queue, index and encoder",
        security=reference.NEEDS_KEY,
        responses=reference.answers({"200": StatusView}, 401, 503),
    )
    def get_status() -> Response:
        view = StatusView.of(
            services.read_status(g.merchant),
            version=VERSION,
            embedded=settings.embedded,
            merchant=g.merchant,
            now=datetime.now(UTC),
        )
        return jsonify(view.model_dump(mode="json"))

    @routes.get(
        "/v1/index",
        summary="The index's generations: which serves, and how far a new one is",
        security=reference.NEEDS_KEY,
        responses=reference.answers({"200": IndexGenerationsView}, 401, 503),
    )
    def get_index() -> Response:
        view = IndexGenerationsView(generations=[GenerationView.of(it) for it in services.read_index()])
        return jsonify(view.model_dump(mode="json"))

    @routes.get("/healthz", summary="The process is alive", responses={"200": HealthView})
    def get_health() -> Response:
        return jsonify(HealthView().model_dump())

    @routes.get("/readyz", summary="Requests can be served", responses={"200": ReadyView, "503": ReadyView})
    def get_ready() -> tuple[Response, int]:
        parts = services.read_status.readiness()
        ready = all(state == "ok" for state in parts.values())
        return jsonify(
            ReadyView(status="ready" if ready else "not ready", parts=parts).model_dump()
        ), 200 if ready else 503

    return routes
