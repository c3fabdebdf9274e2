"""The port `PictureFetcher` over HTTP, for addresses nobody vouches for. Each fetch is one try; the ledger repeats."""

import ssl
from collections.abc import Collection, Sequence
from typing import Final
from urllib.parse import urljoin

import httpcore

from backend.errors import (
    ImageTooLarge,
    TooManyRedirects,
    UnfetchablePicture,
    UrlBroken,
    UrlInvalid,
    UrlRefused,
)
from backend.fetching.address import Address
from backend.fetching.deadline import Deadline
from backend.fetching.lookup import Lookup, Resolve, system_addresses
from backend.fetching.rules import Rules
from backend.fetching.turns import Turns
from backend.fetching.wire import Connect, PinnedBackend, system_connection
from backend.ports import Fetched

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MAX_VALIDATOR: Final = 1_000  # characters of an ETag worth keeping; real ones have under a hundred
_KEEP_IDLE: Final = 16  # connections kept open for the next picture of their hosts
_KEEP_IDLE_SECONDS: Final = 2.0  # servers close idle connections after 5 s and more; reusing one then would fail


class HttpPictureFetcher:
    """Fetches pictures from public hosts, within limits. Safe to call from several threads."""

    def __init__(
        self,
        *,
        max_bytes: int,
        seconds: float,
        max_redirects: int,
        per_host: int,
        ports: Collection[int],
        allow_hosts: Sequence[str] = (),
        deny_hosts: Sequence[str] = (),
        allow_private: bool = False,
        user_agent: str = "Shelfsight",
        ssl_context: ssl.SSLContext | None = None,
        resolve: Resolve = system_addresses,
        connect: Connect = system_connection,
    ) -> None:
        """The settings `fetch.*` say how to choose the values. Raises `Misconfigured` for a host pattern that is none.

        `ssl_context`: whom to trust; the system's and certifi's authorities when there is none. `resolve`, `connect`:
        the network, for tests.
        """
        self._max_bytes = max_bytes
        self._max_redirects = max_redirects
        self._user_agent = user_agent
        self._rules = Rules(ports=ports, allow_hosts=allow_hosts, deny_hosts=deny_hosts, allow_private=allow_private)
        self._deadline = Deadline(seconds)
        self._turns = Turns(self._deadline, per_host=per_host)
        lookup = Lookup(self._deadline, resolve=resolve, allow_private=allow_private)
        # httpcore below httpx: it knows no redirects, cookies, proxies of the environment or decoding to be turned off.
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl_context or httpcore.default_ssl_context(),
            max_connections=None,  # the turns bound them
            max_keepalive_connections=_KEEP_IDLE,
            keepalive_expiry=_KEEP_IDLE_SECONDS,
            network_backend=PinnedBackend(lookup, self._deadline, connect),
        )

    def check(self, url: str) -> None:
        """Refuse what can never be fetched, without the network. Raises `UrlInvalid`, `UrlNotAllowed`."""
        self._rules.admit(url)

    def fetch(self, url: str, *, etag: str | None = None, last_modified: str | None = None) -> Fetched:
        """The bytes, or None when the host says that they are the same as with these validators.

        Validators go to the address itself and come from there only: a redirect may lead to another picture next time,
        on a host where the same validators are that picture's, and "not modified" would keep the old one for good.

        Raises `UnfetchablePicture` of every kind, and `ImageTooLarge`.
        """
        asked = address = self._rules.admit(url)
        self._deadline.begin()
        validators = {"If-None-Match": _sendable(etag), "If-Modified-Since": _sendable(last_modified)}
        conditions = {name: value for name, value in validators.items() if value}
        for _ in range(self._max_redirects + 1):
            with self._turns.turn(address.host):
                answer = self._ask(address, conditions)
            if isinstance(answer, Fetched):
                return answer if address == asked else Fetched(answer.data, None, None)
            address, conditions = self._redirected(address, answer), {}
        raise TooManyRedirects(f"more than {self._max_redirects} redirects")

    def close(self) -> None:
        """Close the connections that were kept open."""
        self._pool.close()

    def _ask(self, address: Address, conditions: dict[str, str]) -> Fetched | str:
        """One request: what it gave, or where it points to."""
        headers = [
            ("Host", address.authority),
            ("User-Agent", self._user_agent),
            ("Accept", "image/*"),
            ("Accept-Encoding", "identity"),
            *conditions.items(),
        ]
        url = httpcore.URL(scheme=address.scheme, host=address.host, port=address.port, target=address.target)
        try:
            with self._pool.stream("GET", url, headers=headers) as response:
                return self._answer(response, conditions)
        except (httpcore.NetworkError, httpcore.ProtocolError) as err:
            raise UrlBroken("the host's answer was cut off or is not HTTP") from err

    def _answer(self, response: httpcore.Response, conditions: dict[str, str]) -> Fetched | str:
        headers = {name.lower(): value for name, value in response.headers}
        etag = _sendable(headers.get(b"etag", b"").decode("latin-1"))
        last_modified = _sendable(headers.get(b"last-modified", b"").decode("latin-1"))
        status = response.status
        if status == 200:  # noqa: PLR2004
            return Fetched(self._body(response, headers), etag, last_modified)
        if status == 304 and conditions:  # noqa: PLR2004
            old = conditions.get("If-None-Match"), conditions.get("If-Modified-Since")
            return Fetched(None, etag or old[0], last_modified or old[1])
        if status in _REDIRECTS and b"location" in headers:
            return headers[b"location"].decode("utf-8", "replace")
        raise _refusal(status)

    def _body(self, response: httpcore.Response, headers: dict[bytes, bytes]) -> bytes:
        encoding = headers.get(b"content-encoding", b"identity").strip().lower()
        if encoding not in {b"", b"identity"}:  # a bomb, or a host that does not listen: pictures are packed already
            raise UnfetchablePicture("the host sent the picture compressed, though it was asked not to")
        announced = headers.get(b"content-length", b"0")
        if int(announced) > self._max_bytes:  # h11 let nothing but digits pass
            raise self._too_large()
        data = bytearray()
        for chunk in response.iter_stream():
            data += chunk
            if len(data) > self._max_bytes:
                raise self._too_large()
        return bytes(data)

    def _too_large(self) -> ImageTooLarge:
        return ImageTooLarge(f"the picture at the address has more than {self._max_bytes} bytes")

    def _redirected(self, address: Address, location: str) -> Address:
        """Where a redirect leads, checked like a first address. From https to http too: nothing secret is sent."""
        try:
            return self._rules.admit(urljoin(str(address), location))
        except ValueError as err:
            raise UrlInvalid("the host redirects to what is not an address") from err
        except UnfetchablePicture as err:
            raise type(err)(f"the host redirects, and there: {err.detail}") from err


def _sendable(validator: str | None) -> str | None:
    """A validator as far as it can go into a header; what cannot is as good as none."""
    fits = validator and len(validator) <= _MAX_VALIDATOR and validator.isascii() and validator.isprintable()
    return validator if fits else None


def _refusal(status: int) -> UnfetchablePicture:
    """What an answer without a picture means (RFC 9110, 15; 429: RFC 6585)."""
    detail = f"the host answered with status {status}"
    if status == 429 or status >= 500 or status == 304:  # noqa: PLR2004 # 304 unasked is a broken answer
        return UrlBroken(detail)
    return UrlRefused(detail) if status >= 400 else UnfetchablePicture(detail)  # noqa: PLR2004
