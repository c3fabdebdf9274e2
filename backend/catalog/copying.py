"""Copy a whole catalog as it is at one moment, while others read and write it: to a file, from one, across databases.

The file is an SQLite database whatever the catalog is in. From PostgreSQL the rows are copied by SQLAlchemy and not by
`pg_dump`: no client programs of the server's version are needed, one kind of file serves both kinds of catalog, and the
same lines move an installation from one to the other. No table numbers its rows, so there is no sequence to set.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, func, insert, inspect, select

from backend.catalog.engine import open_engine, reading, writing
from backend.catalog.migrations import migrate
from backend.catalog.tables import UNREAD_IMPORT, generations, jobs, metadata, pictures, products
from backend.domain.generation import FIRST, IndexState
from backend.errors import CatalogUnavailable, Misconfigured

ROWS_AT_ONCE = 1_000
"""Rows in memory, and in one statement: beyond it neither database gains."""


def copy_to_file(engine: Engine, file: Path) -> None:
    """Copy to a new file. Writers go on meanwhile. Raises `CatalogUnavailable`."""
    if engine.dialect.name == "sqlite":
        with _our_errors(), closing(_read_only(_file_of(engine))) as original, closing(sqlite3.connect(file)) as copy:
            original.backup(copy)  # in one step: it would begin anew with each write of another process
            _check(copy, file)
        _leave_log(file)
        return
    with _opened(file) as copied:
        copy_rows(engine, copied)


def copy_from_file(file: Path, engine: Engine, *, again: bool = False) -> None:
    """Make a database what a file holds. Raises `Misconfigured` unless it is empty, `CatalogUnavailable`.

    `again`: what is there was left by a copy like this one, and is replaced.
    """
    if engine.dialect.name == "sqlite":
        with _our_errors(), closing(_read_only(file)) as copy, closing(sqlite3.connect(_file_of(engine))) as target:
            _check(copy, file)
            if not again and target.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise Misconfigured("the catalog's database is not empty: name another")
            copy.backup(target)
        migrate(engine)
        return
    migrate(engine)
    with tempfile.TemporaryDirectory() as scratch:  # the file may be of an earlier version, and is left as it is
        scratched = Path(scratch) / file.name
        with _our_errors():
            shutil.copyfile(file, scratched)
        with _opened(scratched) as copied:
            copy_rows(copied, engine, again=again)


def copy_rows(source: Engine, target: Engine, *, again: bool = False) -> None:
    """All rows of all tables, in one transaction of the target: all or nothing. Both have this version's tables.

    `again`: the target may hold an earlier copy, which is replaced. Raises `Misconfigured` when it holds anything else,
    `CatalogUnavailable`.
    """
    with reading(source) as original, writing(target) as copy:
        if again:
            _refuse_strangers(original, copy)
        else:
            _refuse_occupied(copy)
        for table in reversed(metadata.sorted_tables):
            copy.execute(table.delete())  # also what the migrations put there: the source has it as well
        for table in metadata.sorted_tables:  # what others refer to comes first
            rows = original.execution_options(yield_per=ROWS_AT_ONCE).execute(select(table)).mappings()
            for some in rows.partitions():
                copy.execute(insert(table), [dict(row) for row in some])


def rows_by_table(engine: Engine) -> dict[str, int]:
    """How many rows each table has, at one moment."""
    with reading(engine) as connection:
        return {
            table.name: connection.scalar(select(func.count()).select_from(table)) or 0
            for table in metadata.sorted_tables
        }


def refuse_occupied(engine: Engine) -> None:
    """Raise `Misconfigured` when a database holds products or jobs, `CatalogUnavailable` when it cannot be reached."""
    with reading(engine) as connection:
        if inspect(connection).has_table(products.name):
            _refuse_occupied(connection)


def picture_hashes(engine: Engine) -> Iterator[str]:
    """The content hashes of all pictures products have, each once."""
    wanted = select(pictures.c.content_hash).where(pictures.c.content_hash.is_not(None)).distinct()
    with reading(engine) as connection:
        yield from connection.execution_options(yield_per=ROWS_AT_ONCE).scalars(wanted)


def forget_other_indexes(engine: Engine) -> None:
    """Only the generation of the index that serves is kept: the others are not where this catalog goes."""
    with writing(engine) as connection:
        connection.execute(generations.delete().where(generations.c.state != IndexState.SERVING.value))


class CopiedCatalog:
    """A catalog in a file, opened to see what belongs to it. Nobody else has it open."""

    def __init__(self, file: Path) -> None:
        """Bring it to this version's tables. Raises `Misconfigured` when a later version wrote it."""
        self._file = file
        self.engine = open_engine(f"sqlite:///{file}", connections=2)
        migrate(self.engine)

    def pictures(self) -> Iterator[str]:
        """See `picture_hashes`."""
        return picture_hashes(self.engine)

    def sources(self) -> set[str]:
        """The files of imports that have rows left to read."""
        with reading(self.engine) as connection:
            return set(connection.scalars(select(jobs.c.source).where(UNREAD_IMPORT, jobs.c.source.is_not(None))))

    def serving(self) -> int:
        """Which generation of the index serves."""
        with reading(self.engine) as connection:
            serving = select(generations.c.number).where(generations.c.state == IndexState.SERVING.value)
            return connection.scalar(serving) or FIRST

    def forget_other_indexes(self) -> None:
        """See the function of this name."""
        forget_other_indexes(self.engine)

    def counts(self) -> dict[str, int]:
        """What it holds, in words for people: live products, pictures, jobs."""
        with reading(self.engine) as connection:
            counted = {
                "products": select(func.count()).select_from(products).where(~products.c.deleted),
                "pictures": select(func.count(pictures.c.content_hash.distinct())),
                "jobs": select(func.count()).select_from(jobs),
            }
            return {name: connection.scalar(count) or 0 for name, count in counted.items()}

    def close(self) -> None:
        """Let go of the file, all of which is in it then."""
        self.engine.dispose()
        _leave_log(self._file)


@contextmanager
def _opened(file: Path) -> Iterator[Engine]:
    copied = CopiedCatalog(file)
    try:
        yield copied.engine
    finally:
        copied.close()


def _refuse_occupied(connection: Connection) -> None:
    for table in (products, jobs):
        if connection.execute(select(table).limit(1)).first() is not None:
            raise Misconfigured("the catalog's database holds products or jobs already: name an empty one")


def _file_of(engine: Engine) -> Path:
    return Path(str(engine.url.database))


def _read_only(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)


def _refuse_strangers(original: Connection, copy: Connection) -> None:
    """Whatever came to the target since it was filled came under a job of its own."""
    known = set(original.scalars(select(jobs.c.job_id)))
    if any(job_id not in known for job_id in copy.scalars(select(jobs.c.job_id))):
        raise Misconfigured("the catalog's database was used since the attempt before: name an empty one")


def _leave_log(file: Path) -> None:
    """Into one file, which can be read where nothing can be written; a catalog in use turns the log on again."""
    with _our_errors(), closing(sqlite3.connect(file)) as copy:
        copy.execute("PRAGMA journal_mode=DELETE")


def _check(copy: sqlite3.Connection, file: Path) -> None:
    """A damaged page is noticed here and not when it is needed."""
    found = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise CatalogUnavailable(f"the catalog in {file} is damaged: {found}")


@contextmanager
def _our_errors() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as err:
        raise CatalogUnavailable(f"the catalog cannot be copied: {err}") from err
