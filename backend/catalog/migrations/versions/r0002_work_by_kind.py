"""Work by kind and by merchant, pictures at addresses, counters of jobs, receipts, notes of dropped pictures."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_NONE_YET = sa.text("0")
_ITEM_STATES = ("pending", "searchable", "deleted", "failed", "superseded", "cancelled")


def upgrade() -> None:
    """From the first tables. No table is built anew: every new column may be empty or has a default."""
    _extend_products()
    _extend_jobs()
    _create_dropped_pictures()
    _create_turns()
    _create_receipts()
    _create_fetched_urls()


def _extend_products() -> None:
    op.add_column("products", sa.Column("fetches", sa.Integer(), server_default=_NONE_YET, nullable=False))
    op.add_column("products", sa.Column("claimed", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("products", sa.Column("created_by", sa.Text()))
    op.execute(sa.update(sa.table("products", sa.column("claimed", sa.Boolean))).values(claimed=True))  # nobody knows
    op.add_column("pictures", sa.Column("url", sa.Text()))
    op.drop_index("ix_products_due", "products")
    due = sa.column("indexed_version") < sa.column("version")
    _create_index("ix_products_due", "products", ["lane", "merchant", "due_at", "product_id"], due)
    op.drop_index("ix_pictures_content", "pictures")
    _create_index("ix_pictures_content", "pictures", ["content_hash", "merchant"])


def _extend_jobs() -> None:
    op.add_column("job_items", sa.Column("line", sa.BigInteger()))
    op.add_column("job_items", sa.Column("attempts", sa.Integer(), server_default=_NONE_YET, nullable=False))
    op.add_column("jobs", sa.Column("attempts", sa.Integer(), server_default=_NONE_YET, nullable=False))
    op.add_column("jobs", sa.Column("options", sa.JSON()))
    for counter in (*(f"{state}_items" for state in _ITEM_STATES), "embedded", "reused"):
        op.add_column("jobs", sa.Column(counter, sa.BigInteger(), server_default=_NONE_YET, nullable=False))
    for moment in ("first_settled_at", "last_settled_at", "cancelled_at"):
        op.add_column("jobs", sa.Column(moment, sa.BigInteger()))
    jobs = sa.table("jobs", sa.column("job_id"), *(sa.column(f"{state}_items") for state in _ITEM_STATES))
    items = sa.table("job_items", sa.column("job_id"), sa.column("state"))
    for state in _ITEM_STATES:
        counted = sa.select(sa.func.count()).where(items.c.job_id == jobs.c.job_id, items.c.state == state)
        op.execute(sa.update(jobs).values({f"{state}_items": counted.scalar_subquery()}))


def _create_dropped_pictures() -> None:
    op.create_table(
        "dropped_pictures",
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("product_id", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("merchant", "product_id", "content_hash", name=op.f("pk_dropped_pictures")),
        sa.ForeignKeyConstraint(
            ["merchant", "product_id"],
            ["products.merchant", "products.product_id"],
            name=op.f("fk_dropped_pictures_products"),
        ),
    )


def _create_turns() -> None:
    turns = op.create_table(
        "turns",
        sa.Column("work", sa.Text(), nullable=False),
        sa.Column("virtual_time", sa.Float(), nullable=False),
        sa.Column("passes", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("work", name=op.f("pk_turns")),
    )
    none_yet = {"virtual_time": 0.0, "passes": {}}
    op.bulk_insert(turns, [{"work": work, **none_yet} for work in ("facts", "fetch", "uploads", "imports")])


def _create_receipts() -> None:
    op.create_table(
        "receipts",
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("answer", sa.Text()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("merchant", "key", name=op.f("pk_receipts")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.job_id"], name=op.f("fk_receipts_jobs")),
    )
    _create_index("ix_receipts_created", "receipts", ["created_at"])


def _create_fetched_urls() -> None:
    op.create_table(
        "fetched_urls",
        sa.Column("url_hash", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text()),
        sa.Column("last_modified", sa.Text()),
        sa.Column("fetched_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("url_hash", name=op.f("pk_fetched_urls")),
    )


def _create_index(name: str, table: str, columns: list[str], where: sa.ColumnElement[bool] | None = None) -> None:
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
