"""Our error -> status and problem document (RFC 9457). The only place that knows HTTP's numbers for them."""

import errno
import logging
from collections.abc import Iterator

from flask import Response, g, json
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge
from werkzeug.exceptions import NotFound as UnknownPath

from backend import errors
from backend.api import received
from backend.api.schemas.problem import FieldProblem, Problem
from backend.domain.product import ProductRecord

log = logging.getLogger(__name__)

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

RETRY_SECONDS = 5  # the sweep's and the supervisor's own pace: what is down is usually back by then

STATUSES: tuple[tuple[type[errors.ShelfsightError], int], ...] = (
    # the first branch that fits counts, so narrow ones stand before wide ones
    (errors.UnsupportedImageType, 415),
    (errors.ImageTooLarge, 413),
    (errors.UnreadableImage, 422),
    (errors.UnsupportedBody, 415),
    (errors.BodyTooLarge, 413),
    (errors.InvalidArchive, 422),
    (errors.MissingColumn, 422),
    (errors.InvalidCsv, 422),
    (errors.InvalidJsonLines, 422),
    (errors.InvalidFeed, 422),
    (errors.InvalidMapping, 422),
    (errors.TooManyRows, 422),
    (errors.UnfetchablePicture, 422),
    (errors.InvalidInput, 400),
    (errors.NotFound, 404),
    (errors.Unauthorized, 401),
    (errors.ForeignOrigin, 403),
    (errors.Conflict, 409),
    (errors.TooManyStreams, 503),  # the caller did nothing too often: the server has no thread to spare
    (errors.Overloaded, 429),
    (errors.Unavailable, 503),
    (errors.ShelfsightError, 500),
)


def status_of(error: type[errors.ShelfsightError]) -> int:
    """The HTTP status of an error."""
    return next(status for branch, status in STATUSES if issubclass(error, branch))


def problem(error: errors.ShelfsightError) -> Response:
    """The answer to an error of ours."""
    status = status_of(type(error))
    answer = _answer(status, error.code, error.detail, error.mend, error.errors)
    if status in {429, 503}:  # RFC 6585 4, RFC 9110 15.6.4
        answer.headers["Retry-After"] = str(RETRY_SECONDS)
    if status == 401:  # noqa: PLR2004 - RFC 9110 15.5.2 asks for the challenge
        answer.headers["WWW-Authenticate"] = 'Bearer realm="shelfsight"'
    return answer


def failed_product(record: ProductRecord, job_id: str) -> Response:
    """The answer to a caller who waited for a product that then failed: the reason its row gives."""
    code = record.code or errors.ShelfsightError.code
    mend = next((error.mend for error in _below(errors.ShelfsightError) if error.code == code), "")
    refused = ((f"images[{number}]", picture) for number, picture in enumerate(record.pictures) if picture.code)
    wrong = tuple(errors.FieldError(field, picture.code or "", picture.detail or "") for field, picture in refused)
    answer = _answer(422, code, f"{record.detail or code} (job {job_id})", mend, wrong)
    answer.headers["Location"] = f"/v1/jobs/{job_id}"
    return answer


def _below(branch: type[errors.ShelfsightError]) -> Iterator[type[errors.ShelfsightError]]:
    yield branch
    for below in branch.__subclasses__():
        yield from _below(below)


def http_problem(error: HTTPException) -> Response:
    """The answer to an error Flask raised: an unknown path, a wrong method, a body over its limit."""
    if isinstance(error, RequestEntityTooLarge):
        return problem(errors.BodyTooLarge())
    if isinstance(error, UnknownPath):
        return _answer(404, errors.NotFound.code, "there is nothing at this address", errors.NotFound.mend)
    answer = _answer(error.code or 500, "http_error", error.description or error.name, "See /docs for the reference.")
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        answer.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return answer


def storage_problem(error: OSError) -> Response:
    """The answer when the system has no room for what was sent: large bodies and forms go to disk before we see them.

    Any other error of the system is a fault of ours.
    """
    if error.errno not in _NO_ROOM:
        return unforeseen(error)
    log.warning("request %s found no room: %s", g.get("request_id"), error)
    return problem(errors.BlobsUnavailable("the server's disk is full"))


def unforeseen(error: Exception) -> Response:
    """The answer to a fault of ours: nothing of it is shown, all of it is logged under the request's id."""
    log.error("request %s failed", g.get("request_id"), exc_info=error)
    return _answer(500, errors.ShelfsightError.code, "the server failed on this request", errors.ShelfsightError.mend)


def _answer(status: int, code: str, detail: str, mend: str, wrong: tuple[errors.FieldError, ...] = ()) -> Response:
    document = Problem(
        type=f"urn:shelfsight:error:{code}",
        title=code.replace("_", " "),
        status=status,
        code=code,
        detail=detail,
        mend=mend,
        errors=[FieldProblem(field=item.field, code=item.code, message=item.message) for item in wrong],
        request_id=g.get("request_id", ""),
    )
    return Response(json.dumps(document.model_dump()), status, content_type=received.PROBLEM)
