"""Fetchers that are closed when the test ends."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import httpcore
import pytest

from backend.fetching.http_fetcher import HttpPictureFetcher

TRUSTING = httpcore.default_ssl_context()  # once: reading the authorities' certificates takes 20 ms
Make = Callable[..., HttpPictureFetcher]


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes fetchers with limits a test can wait for; `given` replaces any of them."""
    with ExitStack() as stack:

        def make_fetcher(**given: Any) -> HttpPictureFetcher:
            plain: dict[str, Any] = {"max_bytes": 100_000, "seconds": 10, "max_redirects": 3, "per_host": 4}
            fetcher = HttpPictureFetcher(**{**plain, "ports": [80, 443], "ssl_context": TRUSTING, **given})
            return stack.enter_context(closing(fetcher))

        yield make_fetcher
