"""Open a database, and read and write it in transactions whose failures are ours.

SQLite gets what durability and several threads need (https://www.sqlite.org/wal.html, https://www.sqlite.org/pragma.html);
PostgreSQL is reached through psycopg 3.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, make_url, select
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from backend.errors import CatalogUnavailable, InvalidField, Misconfigured, ShelfsightError

LeaseClock = Callable[[Connection], datetime]
"""What leases go by, asked within the transaction that takes, renews or ends them."""

_WRITES = "shelfsight_writes"
_WRITE_LOCK = "shelfsight_write_lock"
_WAIT = "shelfsight_wait_seconds"
_NEW_FILE_SECONDS = 2.0  # making the tables takes a tenth of it


def open_engine(url: str, *, connections: int = 12, wait_seconds: float = 10.0) -> Engine:
    """The engine of `sqlite:///<file>` or `postgresql://...` (psycopg 3, whatever driver an alias would choose).

    `connections`: one per thread that may be in a transaction: 8 of HTTP, 2 of the worker, the sweep and one to spare.
    `wait_seconds`: how long a write waits for another writer, and a thread for a connection, before it gives up with
    `CatalogUnavailable`: longer than the longest step of an import, shorter than any client's patience.
    Nothing is connected yet. Raises `errors.Misconfigured` for a URL that names no database on disk.
    """
    parsed = _parsed(url)
    options = {
        "poolclass": QueuePool,
        "pool_size": connections,
        "max_overflow": 0,
        "pool_timeout": wait_seconds,
        "hide_parameters": True,  # errors are logged; merchants' data is not
    }
    if parsed.get_backend_name() == "postgresql":
        # A restarted server leaves dead connections in the pool: a look before use spares one failed request for each.
        return create_engine(parsed, pool_pre_ping=True, connect_args={"connect_timeout": 5}, **options)
    # Threads of this process queue at a lock: SQLite's own waiting is a poll with growing pauses, in which a late comer
    # often wins. Of 720 uploads by 12 threads the slowest took 3 to 4 s without the lock, 0.2 to 1.1 s with it.
    engine = create_engine(
        parsed,
        connect_args={"timeout": wait_seconds, "isolation_level": None},
        execution_options={_WRITE_LOCK: threading.Lock(), _WAIT: wait_seconds},
        **options,
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as err:
        raise Misconfigured("the catalog's URL cannot be read; it looks like sqlite:////path/catalog.db") from err
    backend = "postgresql" if parsed.drivername == "postgres" else parsed.get_backend_name()
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise Misconfigured(f"the catalog cannot live in {backend!r}; use sqlite or postgresql")
    if parsed.database is None or ":memory:" in parsed.database or parsed.database == "":
        raise Misconfigured("the catalog needs a file: an SQLite database in memory is lost with the process")
    return parsed


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    _switch_to_wal(cursor)  # readers go on while one writes
    cursor.execute("PRAGMA synchronous=FULL")  # a commit survives a loss of power; NORMAL may lose the last ones
    cursor.execute("PRAGMA fullfsync=ON")  # macOS: fsync alone leaves the data in the drive's cache
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _switch_to_wal(cursor: DBAPICursor) -> None:
    """On a file that is new SQLite does not wait for the lock this takes: of two processes that open it together, one
    is told at once that it is locked.
    """
    until = time.monotonic() + _NEW_FILE_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as err:
            if (
                err.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until
            ):  # the low byte is the kind
                raise
            time.sleep(0.01)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    """BEGIN by hand: sqlite3's own comes late and deferred.

    A deferred transaction that turns to writing fails at once, without waiting, when another wrote meanwhile
    (SQLITE_BUSY_SNAPSHOT, https://www.sqlite.org/rescode.html#busy_snapshot).
    """
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def database_clock(connection: Connection) -> datetime:
    """Now, by the one clock that all machines which hold leases in a database share: the server's.

    By their own clocks, one that is a lease's length ahead would take whatever the others have just begun. SQLite has
    no server, and one machine.
    """
    if connection.dialect.name == "postgresql":
        now: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
        return now.astimezone(UTC)
    return datetime.now(UTC)


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One snapshot: everything read in it belongs together. Raises `errors.CatalogUnavailable`."""
    with _our_errors(), engine.connect() as connection:
        if (
            engine.dialect.name == "postgresql"
        ):  # its default shows each statement another state; SQLite's BEGIN does not
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with connection.begin():
            yield connection


@contextmanager
def writing(engine: Engine, *, references: bool = True) -> Iterator[Connection]:
    """One transaction, durable when the block has ended; an exception in it leaves everything as it was.

    `references=False` is for migrations on SQLite, which alter a table by building it anew: with references checked,
    dropping the old one would fail or take rows of other tables along.
    Raises `errors.CatalogUnavailable`, and `errors.InvalidField` when the database cannot hold a value at all.
    """
    with _our_errors(), _turn(engine), engine.connect() as connection:
        connection.execution_options(**{_WRITES: True})
        if engine.dialect.name == "sqlite" and not references:
            connection.detach()  # closed at the end: this setting must not reach the pool
            connection.connection.cursor().execute("PRAGMA foreign_keys=OFF")
        with connection.begin():
            yield connection


@contextmanager
def _turn(engine: Engine) -> Iterator[None]:
    options = engine.get_execution_options()
    lock = options.get(_WRITE_LOCK)
    if lock is None:
        yield
        return
    if not lock.acquire(timeout=options[_WAIT]):
        raise CatalogUnavailable(f"another thread has been writing for over {options[_WAIT]:g} s")
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _our_errors() -> Iterator[None]:
    try:
        yield
    except (DataError, UnicodeEncodeError, OverflowError) as err:  # NUL, lone surrogates, beyond 64 bits
        raise InvalidField("a value cannot be stored in the catalog") from err
    except IntegrityError as err:  # asking again would not help
        raise ShelfsightError("a write broke a rule of the catalog's tables") from err
    except PoolTimeoutError as err:
        raise CatalogUnavailable("every connection of the catalog's pool is in use") from err
    except DBAPIError as err:
        raise CatalogUnavailable(_plain(err)) from err


def _plain(err: DBAPIError) -> str:
    """What happened. PostgreSQL's messages name hosts and users, and details are shown to callers; they are logged."""
    what = str(err.orig) if isinstance(err.orig, sqlite3.Error) else type(err.orig).__name__
    return f"the catalog's database failed: {what}"
