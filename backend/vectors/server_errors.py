"""What goes wrong between here and a Qdrant server, in our words: an outage or a refusal, and whether it may pass.

Both of the client's transports are known here. What the server means by its codes is read from its own tables
(src/actix/helpers.rs and lib/storage/src/content_manager/conversions.rs in https://github.com/qdrant/qdrant).
"""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass

import grpc
import httpx
from qdrant_client.common.client_exceptions import QdrantException, ResourceExhaustedResponse
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from backend.errors import IndexUnavailable, ShelfsightError

CLIENT_ERRORS = (grpc.RpcError, ApiException, QdrantException, OSError, RuntimeError, ValueError)
"""What the client raises. ValueError: its in-process mode answers so where a server answers 4xx."""

_REFUSED = {400, 413, 422}
"""Malformed, too large, not understood. 401, 403 and 404 are an operator's to mend, and then all goes on."""
_REFUSED_CODES = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.OUT_OF_RANGE}

_PASSING = {429, 500, 502, 503, 504}
"""Too many requests, a fault of the moment, a node that is down or restarts. Not 408 and 507: the time that was given
is used up, and a disk does not become empty within seconds."""
_PASSING_CODES = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.ABORTED,
}

_UNTRUSTED = ("CERTIFICATE_VERIFY_FAILED", "Hostname Verification")
"""A server whose certificate is not trusted is UNAVAILABLE too; only gRPC's text tells it from one that is down."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`error`: what to raise. `passing`: whether asking again within seconds may help; then not before `after_seconds`,
    if the server said so.
    """

    error: ShelfsightError
    passing: bool = False
    after_seconds: float = 0.0


def verdict(err: Exception) -> Verdict:
    """What one of `CLIENT_ERRORS` means.

    What the server refuses for its content is no outage: asking again would not help, and who waits behind it must not.
    """
    match err:
        case grpc.RpcError():
            return _of_code(err)
        case UnexpectedResponse():
            passing = err.status_code in _PASSING
            return _judged(str(err), refused=err.status_code in _REFUSED, passing=passing)
        case ResourceExhaustedResponse():
            return Verdict(IndexUnavailable(f"The Qdrant server is busy: {err}"), True, float(err.retry_after_s))
        case ResponseHandlingException():
            return Verdict(_unanswered(err.source), _may_pass(err.source))
        case _:
            return Verdict(_unanswered(err))


def _of_code(err: grpc.RpcError) -> Verdict:
    code, details = err.code(), err.details() or "no details"
    passing = code in _PASSING_CODES and not any(words in details for words in _UNTRUSTED)
    return _judged(f"{code.name}: {details}", refused=code in _REFUSED_CODES, passing=passing)


def _judged(what: str, *, refused: bool, passing: bool) -> Verdict:
    if refused:
        return Verdict(ShelfsightError(f"The Qdrant server refused a request: {what}"))
    return Verdict(IndexUnavailable(f"The Qdrant server did not do what was asked: {what}"), passing)


def _may_pass(source: Exception) -> bool:
    """Whether a connection broke that may be made again. One that ran out of time has used up what its caller has."""
    broke = isinstance(source, httpx.NetworkError | httpx.RemoteProtocolError)
    return broke and not any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(source))


def _causes(err: BaseException | None) -> Iterator[BaseException]:
    while err is not None:
        yield err
        err = err.__cause__ or err.__context__


def _unanswered(err: Exception) -> IndexUnavailable:
    return IndexUnavailable(f"The Qdrant server refused or did not answer: {type(err).__name__}: {err}")
