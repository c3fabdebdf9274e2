"""What Alembic runs to migrate: on the connection it is handed, see `backend.catalog.migrations`."""

from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from backend.catalog.tables import UtcTime, metadata


def _render(kind: str, item: object, _: AutogenContext) -> str | Literal[False]:
    """A drafted migration names the database's own type: our class may change after the migration was released."""
    return "sa.BigInteger()" if kind == "type" and isinstance(item, UtcTime) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters a table by building it anew
    render_item=_render,
)
with context.begin_transaction():
    context.run_migrations()
