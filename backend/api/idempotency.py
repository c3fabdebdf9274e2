"""The same request under the same `Idempotency-Key` is done once and answered the same for a day.

The header as drafted for HTTP (draft-ietf-httpapi-idempotency-key-header); what counts as the same is the fingerprint.
"""

import hashlib
import json
import logging
from collections.abc import Callable

from flask import Request, Response, g, request
from pydantic import BaseModel, Field

from backend.api import received
from backend.domain.work import KeptReceipt, Receipt
from backend.errors import RepeatedRequest, Unavailable
from backend.usecases.services import Services

log = logging.getLogger(__name__)


class WriteHeaders(BaseModel):
    """Headers of a request that changes something."""

    idempotency_key: str | None = Field(
        None,
        alias="Idempotency-Key",
        pattern=r"^[\x20-\x7e]{1,255}$",
        description="The same key and request is done once and answered the same for a day, then with "
        "`Idempotency-Replayed: true`; with another request it is 409. A request that was refused leaves its key free, "
        "a change that was accepted uses it up. While the first has no answer yet, or was cut off after its change was "
        "durable, the answer is 202 with the `job_id` alone.",
    )


def once(
    services: Services, header: WriteHeaders, act: Callable[[Receipt | None], Response], *, digest: bytes | None = None
) -> Response:
    """The answer of `act`, or the one it gave to this request before. `act` raises while nothing was changed, and then
    the key stays free; whatever it returns, a failure that was waited for too, says what became of a durable change.

    `digest`: the body's sha-256 where the route read it itself. Raises `ReusedKey`, and what `act` raises.
    """
    if header.idempotency_key is None:
        return act(None)
    receipt = Receipt(g.merchant, header.idempotency_key, _fingerprint(request, digest or _body_digest(request)))
    kept = services.receipts.find(receipt)
    if kept is None:
        try:
            return _kept(services, receipt, act(receipt))
        except RepeatedRequest:  # a twin of this request was faster
            kept = services.receipts.find(receipt)
            if kept is None:
                raise
    return _replayed(kept)


def _kept(services: Services, receipt: Receipt, answer: Response) -> Response:
    try:
        services.receipts.keep(receipt, answer.status_code, answer.get_data(as_text=True))
    except Unavailable:  # the change is durable under its receipt: a repetition finds its job
        log.warning("the answer to request %s was not kept", g.request_id, exc_info=True)
    return answer


def _replayed(kept: KeptReceipt) -> Response:
    body = kept.answer if kept.answer is not None else json.dumps({"job_id": kept.job_id})
    status = kept.status or 202
    failed = status >= 400  # noqa: PLR2004 - RFC 9110 15.5
    answer = Response(body, status, content_type=received.PROBLEM if failed else received.JSON)
    whole_product = request.method == "PUT" and kept.answer is not None and not failed
    answer.headers["Location"] = request.path if whole_product else f"/v1/jobs/{kept.job_id}"
    answer.headers["Idempotency-Replayed"] = "true"
    return answer


def _fingerprint(sent: Request, digest: bytes) -> str:
    """What was asked, in one hash. A form's boundary is left out: clients draw a new one when they repeat."""
    parameters = sorted(item for item in sent.mimetype_params.items() if item[0] != "boundary")
    asked = [sent.method, sent.path, sent.query_string.decode("latin-1"), sent.mimetype, parameters, digest.hex()]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


def _body_digest(sent: Request) -> bytes:
    """Hash of the body; of a form, of its parts' names and contents."""
    if sent.mimetype != received.MULTIPART:
        return hashlib.sha256(sent.get_data()).digest()
    whole = hashlib.sha256()
    for name, text in sent.form.items(multi=True):
        whole.update(_hash(name) + _hash(text))
    for name, file in sent.files.items(multi=True):
        content = hashlib.file_digest(file.stream, "sha256")  # type: ignore[arg-type] # IO[bytes] is what it reads
        whole.update(_hash(name) + content.digest())
        file.stream.seek(0)
    return whole.digest()


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
