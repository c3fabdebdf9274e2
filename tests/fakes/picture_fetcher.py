"""The port `PictureFetcher` in memory."""

import hashlib
import ipaddress
from urllib.parse import urlsplit

from backend import errors
from backend.ports import Fetched


class FakePictureFetcher:
    """Pictures by address. An exception as the answer is raised; what is not there is refused like a 404.

    `etag` and `last_modified` come from the content, so a picture that is replaced is a changed one. `fetched` lists
    the addresses in the order they were asked for.
    """

    def __init__(self, answers: dict[str, bytes | Exception] | None = None, *, max_bytes: int = 20_000_000) -> None:
        self.answers: dict[str, bytes | Exception] = dict(answers or {})
        self.max_bytes = max_bytes
        self.fetched: list[str] = []

    def check(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
            raise errors.UrlInvalid("only http and https addresses without user name are fetched")
        if "." not in parts.hostname.strip("."):
            raise errors.UrlNotAllowed("the host is not on the public internet")
        try:
            public = ipaddress.ip_address(parts.hostname).is_global
        except ValueError:
            public = True
        if not public:
            raise errors.UrlNotAllowed("the host is not on the public internet")

    def fetch(self, url: str, *, etag: str | None = None, last_modified: str | None = None) -> Fetched:
        self.check(url)
        self.fetched.append(url)
        answer = self.answers.get(url, errors.UrlRefused("the host answered with status 404"))
        if isinstance(answer, Exception):
            raise answer
        if len(answer) > self.max_bytes:
            raise errors.ImageTooLarge
        digest = hashlib.sha256(answer).hexdigest()
        tag, date = f'"{digest}"', f"{digest} GMT"
        unchanged = etag == tag if etag else last_modified == date
        return Fetched(None if unchanged else answer, tag, date)

    def close(self) -> None: ...
