"""The first tables: products and their pictures, jobs and their items.

Migrations are frozen: nothing here refers to `backend.catalog.tables`, which goes on changing.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Into an empty database."""
    _create_products()
    _create_pictures()
    _create_jobs()
    _create_job_items()


def _create_products() -> None:
    op.create_table(
        "products",
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("product_id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("brand", sa.Text(), nullable=False),
        sa.Column("price_units", sa.BigInteger()),
        sa.Column("price_places", sa.SmallInteger()),
        sa.Column("currency", sa.Text()),
        sa.Column("in_stock", sa.Boolean(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("indexed_version", sa.BigInteger(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("code", sa.Text()),
        sa.Column("detail", sa.Text()),
        sa.Column("lane", sa.SmallInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("lease", sa.Text()),
        sa.Column("lease_until", sa.BigInteger()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("searchable_at", sa.BigInteger()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("merchant", "product_id", name=op.f("pk_products")),
        sa.CheckConstraint("indexed_version <= version", name=op.f("ck_products_index_not_ahead")),
    )
    deleted = sa.column("deleted", sa.Boolean)
    failed = sa.column("code").is_not(None)
    due = sa.column("indexed_version") < sa.column("version")
    present = deleted.is_(False)
    _create_index("ix_products_due", "products", ["lane", "due_at", "merchant", "product_id"], due)
    _create_index("ix_products_leased", "products", ["lease_until"], sa.column("lease").is_not(None))
    _create_index("ix_products_gone", "products", ["merchant", "product_id"], deleted & (due | failed))
    _create_index("ix_products_live", "products", ["merchant"], ~deleted)
    _create_index("ix_products_pending", "products", ["merchant"], present & due)
    _create_index("ix_products_failed", "products", ["merchant"], present & ~due & failed)


def _create_pictures() -> None:
    op.create_table(
        "pictures",
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("product_id", sa.Text(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("content_hash", sa.Text()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("code", sa.Text()),
        sa.Column("detail", sa.Text()),
        sa.Column("name", sa.Text()),
        sa.PrimaryKeyConstraint("merchant", "product_id", "position", name=op.f("pk_pictures")),
        sa.ForeignKeyConstraint(
            ["merchant", "product_id"],
            ["products.merchant", "products.product_id"],
            name=op.f("fk_pictures_products"),
        ),
    )
    _create_index("ix_pictures_searchable", "pictures", ["merchant"], sa.text("state = 'searchable'"))
    _create_index("ix_pictures_content", "pictures", ["merchant", "content_hash"])


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger()),
        sa.Column("total", sa.BigInteger()),
        sa.Column("code", sa.Text()),
        sa.Column("detail", sa.Text()),
        sa.Column("source", sa.Text()),
        sa.Column("next_row", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("lease", sa.Text()),
        sa.Column("lease_until", sa.BigInteger()),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_jobs")),
    )
    _create_index("ix_jobs_unread", "jobs", ["due_at"], sa.column("total").is_(None))


def _create_job_items() -> None:
    op.create_table(
        "job_items",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("row", sa.BigInteger(), nullable=False),
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("product_id", sa.Text()),
        sa.Column("version", sa.BigInteger()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("field", sa.Text()),
        sa.Column("code", sa.Text()),
        sa.Column("detail", sa.Text()),
        sa.Column("searchable_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("job_id", "row", name=op.f("pk_job_items")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.job_id"], name=op.f("fk_job_items_jobs")),
    )
    _create_index("ix_job_items_state", "job_items", ["job_id", "state", "row"])
    _create_index("ix_job_items_waiting", "job_items", ["merchant", "product_id"], sa.text("state = 'pending'"))


def _create_index(
    name: str, table: str, columns: list[str], where: sa.ColumnElement[bool] | sa.TextClause | None = None
) -> None:
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
