"""/v1/jobs: what became of uploads and imports, row by row; trying again, and stopping."""

from flask import Response, g, jsonify, request
from flask_openapi import APIBlueprint, Tag
from pydantic import BaseModel

from backend.api import received, reference
from backend.api.events import EVENT_STREAM, Streams
from backend.api.schemas.job import CancelledView, ItemsParameters, ItemsView, ItemView, JobView, RetriedView
from backend.settings import Settings
from backend.usecases.services import Services

JOBS = Tag(name="jobs", description="The ledger of uploads, row by row.")


class JobPath(BaseModel):
    """The address of one job."""

    job_id: str


def blueprint(services: Services, settings: Settings) -> APIBlueprint:
    """The routes."""
    routes = APIBlueprint("jobs", __name__, url_prefix="/v1/jobs", abp_tags=[JOBS], abp_security=reference.NEEDS_KEY)
    _add_reading(routes, services)
    _add_changing(routes, services)
    streams = Streams(services, settings)
    stream = {
        "description": "`progress` events with the job, ended by `done`. A stream may end earlier: open the next.",
        "content": {EVENT_STREAM: {"schema": {"type": "string"}}},
    }

    @routes.get(
        "/<job_id>/events",
        summary="A job's progress as server-sent events",
        responses=reference.answers({"200": stream}, 401, 404, 503),
    )
    def get_events(path: JobPath) -> Response:
        return streams.follow(g.merchant, path.job_id)

    return routes


def _add_reading(routes: APIBlueprint, services: Services) -> None:
    unchanged = {"description": "As the caller's `If-None-Match` says."}

    @routes.get(
        "/<job_id>",
        summary="A job, its counts and its pace",
        responses=reference.answers({"200": JobView, "304": unchanged}, 401, 404, 503),
    )
    def get_job(path: JobPath) -> Response:
        view = JobView.of(services.read_job(g.merchant, path.job_id))
        answer = Response(view.body, content_type=received.JSON)
        answer.set_etag(view.etag)
        answer.headers["Cache-Control"] = "no-cache"  # may be kept, must be asked for
        answer.make_conditional(request)
        return answer

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


def _add_changing(routes: APIBlueprint, services: Services) -> None:
    """Both may be sent again without harm, so an `Idempotency-Key` needs no receipt here."""

    @routes.post(
        "/<job_id>/retry",
        summary="Try the failed rows of a job again",
        responses=reference.answers({"202": RetriedView}, 401, 404, 503),
    )
    def post_retry(path: JobPath) -> tuple[Response, int]:
        done = services.retry_job(g.merchant, path.job_id)
        return jsonify(RetriedView(job_id=path.job_id, again=done.again, left=done.left).model_dump()), 202

    @routes.post(
        "/<job_id>/cancel",
        summary="Read no further rows and withdraw products that wait",
        responses=reference.answers({"202": CancelledView}, 401, 404, 503),
    )
    def post_cancel(path: JobPath) -> tuple[Response, int]:
        done = services.cancel_job(g.merchant, path.job_id)
        view = CancelledView(job_id=path.job_id, withdrawn=done.withdrawn, going_on=done.going_on)
        return jsonify(view.model_dump()), 202
