"""The questions by which two indexes are compared, and who answers them: a running server, or an index that is open."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backend.cli.client import Api, ApiError, Busy
from backend.domain.query import Query
from backend.errors import Misconfigured, ShelfsightError, Unavailable
from backend.usecases.compare_indexes import DEPTH, Answers, Found, Golden
from backend.usecases.services import Services


def read_golden(path: Path, merchant: str) -> list[Golden]:
    """Questions from JSON lines: `{"text": ...}` or `{"product_id": ...}`, with `category` and `merchant` if wanted.

    Raises `Misconfigured`, naming the line.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as err:
        raise Misconfigured(f"{path} cannot be read: {err}") from err
    return [_golden(f"{path}, line {number}", line, merchant) for number, line in enumerate(lines, 1) if line.strip()]


def _golden(place: str, line: str, merchant: str) -> Golden:
    try:
        given = json.loads(line)
    except ValueError as err:
        raise Misconfigured(f"{place} is not JSON: {err}") from err
    names = {"text", "product_id", "category", "merchant"}
    known = isinstance(given, dict) and not given.keys() - names and all(isinstance(it, str) for it in given.values())
    if not known or ("text" in given) == ("product_id" in given):
        raise Misconfigured(f"{place}: one of text and product_id is expected, with category and merchant if wanted")
    return Golden(**{"merchant": merchant, **given})


def answered_by(services: Services) -> Answers:
    """By the search of an index that is open here."""

    def answers(question: Golden) -> Sequence[Found]:
        query = Query(question.merchant, text=question.text, product_id=question.product_id, limit=DEPTH)
        try:
            matches = services.search_products(query).matches
        except Unavailable:
            raise
        except ShelfsightError:  # no such product any more, or not searchable: no answer
            return []
        return [Found(match.product_id, str(match.payload.get("category") or "")) for match in matches]

    return answers


@contextmanager
def asked_over_http(url: str, key: str | None) -> Iterator[Answers]:
    """By the server that serves."""
    doors: dict[str, Api] = {}

    def answers(question: Golden) -> Sequence[Found]:
        if question.merchant not in doors:
            doors[question.merchant] = Api(url, key=key, merchant=question.merchant)
        given = {"text": question.text, "product_id": question.product_id}
        body = {**{name: value for name, value in given.items() if value}, "limit": DEPTH}
        found = _patiently(doors[question.merchant], body)
        return [Found(match["product_id"], match["product"].get("category") or "") for match in found]

    try:
        yield answers
    finally:
        for door in doors.values():
            door.__exit__()


def _patiently(door: Api, body: dict[str, object]) -> list[dict[str, Any]]:
    """The matches; none when the server refuses the question: no such product there, or not searchable."""
    while True:
        try:
            found: list[dict[str, Any]] = door.post("/v1/search", body)["matches"]
        except Busy as err:
            time.sleep(err.retry_seconds)
        except ApiError:
            return []
        else:
            return found
