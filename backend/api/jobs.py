"""/v1/jobs: what became of what was uploaded."""

from flask import Response, g, jsonify
from flask_openapi import APIBlueprint, Tag
from pydantic import BaseModel

from backend.api import reference
from backend.api.schemas.job import ItemsParameters, ItemsView, ItemView, JobView
from backend.usecases.services import Services

JOBS = Tag(name="jobs", description="The ledger of uploads, row by row.")


class JobPath(BaseModel):
    """The address of one job."""

    job_id: str


def blueprint(services: Services) -> APIBlueprint:
    """The routes."""
    routes = APIBlueprint("jobs", __name__, url_prefix="/v1/jobs", abp_tags=[JOBS], abp_security=reference.NEEDS_KEY)

    @routes.get(
        "/<job_id>", summary="A job and its counts", responses=reference.answers({"200": JobView}, 401, 404, 503)
    )
    def get_job(path: JobPath) -> Response:
        return jsonify(JobView.of(services.read_job(g.merchant, path.job_id)).model_dump(mode="json"))

    @routes.get(
        "/<job_id>/items",
        summary="A job's items in the order of their rows",
        responses=reference.answers({"200": ItemsView}, 400, 401, 404, 503),
    )
    def get_items(path: JobPath, query: ItemsParameters) -> Response:
        found = services.read_job.items(
            g.merchant, path.job_id, state=query.state, after_row=int(query.cursor or 0), limit=query.limit + 1
        )
        page = found[: query.limit]
        following = str(page[-1].row) if len(found) > query.limit else None
        view = ItemsView(items=[ItemView.of(item) for item in page], next_cursor=following)
        return jsonify(view.model_dump(mode="json"))

    return routes
