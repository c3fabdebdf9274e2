"""Sends a case and says what it got, whether over a socket or into the application directly."""

from collections.abc import Callable
from typing import Any

import httpx

from tests.bad_inputs.case import KNOWN, USED_KEY, Case, put, raw, request

Answer = tuple[int, str, dict[str, Any]]
"""Status, content type, JSON."""
Send = Callable[[httpx.Request], Answer]
Verdict = tuple[int, str, str | None]
"""Status, code, field: as the case has them."""


def prepare(send: Send, settle: Callable[[], None], picture: bytes) -> None:
    """The product that has to stay as it is, and the Idempotency-Key that was used."""
    assert send(put({"title": "Known"}, picture, path=f"/v1/products/{KNOWN}"))[0] == 202
    patch = raw("PATCH", f"/v1/products/{KNOWN}", '{"price": 1}', Idempotency_Key=USED_KEY)
    assert send(patch)[0] == 202
    settle()


def judge(case: Case, send: Send, settle: Callable[[], None]) -> Verdict:
    """What the case got. What a bad file or address left behind (a failed product) is removed again."""
    status, content_type, told = send(case.make())
    if case.where == "answer":
        assert content_type == "application/problem+json", told
        return status, told["code"], _field(case, told["errors"][0]["field"] if told["errors"] else None)
    assert status == 202, told
    settle()
    _, _, job = send(request("GET", f"/v1/jobs/{told['job_id']}"))
    if case.where == "job":
        return status, job["code"], None
    assert job["done"], job
    _, _, page = send(request("GET", f"/v1/jobs/{told['job_id']}/items"))
    first = page["items"][0]
    assert first["state"] == "failed", page
    if send(request("DELETE", "/v1/products/bad-1"))[0] == 202:
        settle()
    return status, first["code"], _field(case, first["field"])


def expected(case: Case) -> Verdict:
    return case.status, case.code, case.field


def _field(case: Case, field: str | None) -> str | None:
    """Only where the case promises one."""
    return field if case.field is not None else None
