"""One client's connection: it asks again while the server is down, and says honestly when it does not know."""

import random
import time
import uuid
from collections.abc import Mapping
from typing import Any

import httpx

from tests.installation import Installation

PAUSE_SECONDS = 0.05
ANSWER_SECONDS = 120.0
"""Longer than any start: who waits so long for an answer has found a fault."""


class Wire:
    """Requests of one client, to a server that may die at any moment and come back under another port."""

    def __init__(self, installation: Installation, rng: random.Random) -> None:
        self._installation = installation
        self._rng = rng
        self._http = httpx.Client(timeout=60, trust_env=False)
        self._url = ""

    def ask(
        self,
        method: str,
        path: str,
        merchant: str,
        *,
        keyed: bool = False,
        headers: Mapping[str, str] | None = None,
        **body: Any,
    ) -> httpx.Response | None:
        """The answer; None: none came, so it may have happened or not.

        `keyed`: the same bytes are sent again under the same Idempotency-Key until an answer comes. A request that
        never reached the server (connection refused) is sent again in any case.
        """
        made = httpx.Request(method, f"http://any{path}", headers=headers, **body)
        content = made.read()
        sent_headers = {name: value for name, value in made.headers.items() if name != "host"}
        sent_headers["X-Shelfsight-Merchant"] = merchant
        if keyed:
            sent_headers["Idempotency-Key"] = str(uuid.UUID(int=self._rng.getrandbits(128)))
        until = time.monotonic() + ANSWER_SECONDS
        while True:
            answer, reached = self._once(method, path, sent_headers, content)
            if answer is not None and not (keyed and _asks_to_wait(answer)):
                return answer
            if (reached and not keyed) or time.monotonic() > until:
                return answer
            time.sleep(PAUSE_SECONDS)

    def close(self) -> None:
        self._http.close()

    def _once(
        self, method: str, path: str, headers: dict[str, str], content: bytes
    ) -> tuple[httpx.Response | None, bool]:
        """The answer, and whether the server may have got the request at all."""
        try:
            self._url = self._url or self._installation.url
            return self._http.request(method, self._url + path, headers=headers, content=content), True
        except (OSError, ValueError, httpx.ConnectError, httpx.ConnectTimeout):
            self._url = ""
            return None, False
        except httpx.HTTPError:
            self._url = ""
            return None, True


def _asks_to_wait(answer: httpx.Response) -> bool:
    if answer.status_code == 503:
        return True
    return answer.status_code == 409 and answer.json()["code"] == "idempotency_key_in_use"
