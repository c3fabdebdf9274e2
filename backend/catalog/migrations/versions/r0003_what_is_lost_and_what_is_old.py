"""When the index was last told of a product, to find what it lost with the power; indexes to find what is old.

Frozen like every migration, see `r0001_first_tables`.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """From the tables of 0002. What was settled before has the best moment that is known of it."""
    op.add_column("products", sa.Column("indexed_at", sa.BigInteger()))
    products = sa.table(
        "products",
        *(
            sa.column(name, sa.BigInteger())
            for name in ("indexed_version", "indexed_at", "searchable_at", "updated_at")
        ),
    )
    known = sa.func.coalesce(products.c.searchable_at, products.c.updated_at)
    op.execute(sa.update(products).where(products.c.indexed_version > 0).values(indexed_at=known))
    op.create_index("ix_products_indexed", "products", ["indexed_at"])
    not_deleted, failed = sa.column("deleted", sa.Boolean()).is_(False), sa.column("code").is_not(None)
    due = sa.column("indexed_version") < sa.column("version")
    for name, where in (
        ("ix_products_pending", not_deleted & due & ~failed),
        ("ix_products_failed", not_deleted & failed),
    ):
        op.drop_index(name, "products")
        op.create_index(name, "products", ["merchant"], sqlite_where=where, postgresql_where=where)
    op.create_index("ix_jobs_finished", "jobs", ["finished_at"])
    op.create_index("ix_receipts_job", "receipts", ["job_id"])
    op.create_index("ix_fetched_urls_fetched", "fetched_urls", ["fetched_at"])
