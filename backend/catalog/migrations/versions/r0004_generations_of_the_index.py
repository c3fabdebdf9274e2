"""Generations of the index, one of which serves.

Frozen like every migration, see `r0001_first_tables`.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """From the tables of 0003. No row: the first generation serves."""
    op.create_table(
        "generations",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("dimension", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("told_before", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("after_merchant", sa.Text()),
        sa.Column("after_product_id", sa.Text()),
        sa.Column("filled", sa.Boolean(), nullable=False),
        sa.Column("gaps", sa.JSON(), nullable=False),
        sa.Column("detail", sa.Text()),
        sa.Column("comparison", sa.JSON(), nullable=False),
        sa.Column("served_at", sa.BigInteger()),
        sa.Column("held_until", sa.BigInteger()),
        sa.Column("updated_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_generations")),
    )
