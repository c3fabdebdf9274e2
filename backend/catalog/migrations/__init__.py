"""Bring a database to the tables of this version.

Forward only: going back would throw data away, so the way back is a backup. To add a change, edit
`backend.catalog.tables` and draft the module from the difference, then read it with care:

    from alembic import command
    from backend.catalog.engine import open_engine, writing
    from backend.catalog.migrations import config, migrate
    engine = open_engine("sqlite:////somewhere/empty.db")
    migrate(engine)
    with writing(engine) as connection:
        command.revision(config(connection), "what changes", autogenerate=True, rev_id="0002")

The tests compare the migrated tables, indexes and their conditions with the declared ones, on both databases.
"""

import threading
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, func, select

from backend.catalog.engine import writing
from backend.errors import Misconfigured

_LOCK_KEY = 5_427_168_039_114_706  # names this lock among the users of a PostgreSQL database: any number will do

_alembic = threading.Lock()  # Alembic keeps what it is working on in globals of its modules


def config(connection: Connection) -> Config:
    """Alembic's settings for this room; the migrations run in the connection's transaction."""
    settings = Config(attributes={"connection": connection})
    settings.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    settings.set_main_option("file_template", "r%%(rev)s_%%(slug)s")  # a module's name begins with a letter
    return settings


def migrate(engine: Engine) -> None:
    """Bring an empty or older database to this version's tables, in one transaction: all or nothing.

    Processes that start together wait for each other; those that come second find nothing to do.
    Raises `errors.Misconfigured` when a newer version has written the database, `errors.CatalogUnavailable` when it
    cannot be reached.
    """
    with writing(engine, references=False) as connection, _alembic:
        if connection.dialect.name == "postgresql":  # on SQLite the transaction itself keeps everybody else out
            connection.execute(select(func.pg_advisory_xact_lock(_LOCK_KEY)))
        try:
            command.upgrade(config(connection), "head")
        except CommandError as err:
            raise Misconfigured(
                "the catalog was written by another, probably newer version of Shelfsight: "
                f"install that one, or restore a backup ({err})"
            ) from err
