"""`SqlFetchMemory`: the port `FetchMemory`."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Engine, select
from sqlalchemy.dialects import postgresql, sqlite

from backend.catalog.engine import reading, writing
from backend.catalog.forgetting import forget_rows
from backend.catalog.rows import KEYS_PER_STATEMENT
from backend.catalog.tables import fetched_urls
from backend.domain.work import Remembered


class SqlFetchMemory:
    """What addresses gave, see `backend.ports.FetchMemory`. Safe to share between threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def recall(self, urls: Sequence[str]) -> Mapping[str, Remembered]:
        """See the port."""
        f = fetched_urls.c
        found: dict[str, Remembered] = {}
        with reading(self._engine) as connection:
            url_of = {_hash_of(url): url for url in urls}
            hashes = sorted(url_of)
            for start in range(0, len(hashes), KEYS_PER_STATEMENT):
                some = select(fetched_urls).where(f.url_hash.in_(hashes[start : start + KEYS_PER_STATEMENT]))
                for row in connection.execute(some).mappings():
                    url = url_of[row["url_hash"]]
                    found[url] = Remembered(
                        url, row["content_hash"], row["etag"], row["last_modified"], row["fetched_at"]
                    )
        return found

    def remember(self, fetched: Sequence[Remembered]) -> None:
        """See the port. Of two with the same address the last stays."""
        if not fetched:
            return
        with writing(self._engine) as connection:
            rows = {_hash_of(item.url): item for item in fetched}
            insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(fetched_urls)
            told = ("content_hash", "etag", "last_modified", "fetched_at")
            upsert = insert.on_conflict_do_update(
                index_elements=[fetched_urls.c.url_hash], set_={name: insert.excluded[name] for name in told}
            )
            connection.execute(
                upsert,
                # In order: two transactions on PostgreSQL never wait for each other in a circle.
                [{"url_hash": name, **{part: getattr(rows[name], part) for part in told}} for name in sorted(rows)],
            )

    def forget_addresses(self, before: datetime) -> int:
        """See the port."""
        return forget_rows(self._engine, fetched_urls, fetched_urls.c.fetched_at <= before)


def _hash_of(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()
