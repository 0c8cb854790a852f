"""Records, people, audit log, data keys."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SQLITE = tuple(
    f"CREATE TRIGGER {name} BEFORE {what} ON {table} BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    for name, what, table in (
        ("audit_kept_update", "UPDATE", "audit"),
        ("audit_kept_delete", "DELETE", "audit"),
        ("entries_kept", "UPDATE", "entries"),
    )
)
POSTGRESQL = (
    "CREATE FUNCTION kenpin_kept() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$",
    "CREATE TRIGGER audit_kept BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION kenpin_kept()",
    "CREATE TRIGGER audit_kept_whole BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION kenpin_kept()",
    "CREATE TRIGGER entries_kept BEFORE UPDATE ON entries FOR EACH ROW EXECUTE FUNCTION kenpin_kept()",
)
"""What the database itself refuses. Deleting entries stays possible, since retention deletes whole inspections."""


def upgrade() -> None:
    """Make every table, and the triggers that keep the log."""
    op.create_table(
        "audit",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_index("ix_audit_actor", "audit", ["actor"], unique=False)
    op.create_index("ix_audit_subject", "audit", ["subject"], unique=False)
    op.create_table(
        "case_queue",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("case_id", sa.String(length=120), nullable=False),
        sa.Column("inspection", sa.String(length=80), nullable=False),
        sa.Column("action", sa.String(length=10), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_case_queue_done", "case_queue", ["done", "id"], unique=False)
    op.create_table(
        "data_keys",
        sa.Column("record", sa.String(length=120), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("master", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("record"),
    )
    op.create_index("ix_data_keys_master", "data_keys", ["master"], unique=False)
    op.create_table(
        "inspections",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("created", sa.String(length=32), nullable=False),
        sa.Column("updated", sa.String(length=32), nullable=False),
        sa.Column("asker", sa.String(length=200), nullable=True),
        sa.Column("speakers", sa.Text(), server_default="", nullable=False),
        sa.Column("product", sa.String(length=200), nullable=True),
        sa.Column("lot", sa.String(length=200), nullable=True),
        sa.Column("part", sa.String(length=200), nullable=True),
        sa.Column("picture", sa.String(length=64), nullable=True),
        sa.Column("planner", sa.String(length=40), nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("proposed", sa.String(length=12), nullable=True),
        sa.Column("verdict", sa.String(length=12), nullable=True),
        sa.Column("rule", sa.String(length=200), nullable=True),
        sa.Column("findings", sa.Integer(), nullable=True),
        sa.Column("disagrees", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("signed_by", sa.String(length=200), nullable=True),
        sa.Column("signed_at", sa.String(length=32), nullable=True),
        sa.Column("head", sa.Integer(), nullable=False),
        sa.Column("trace_sha256", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    filtered = ["id", "state", "verdict", "disagrees", "planner", "asker"]
    op.create_index("ix_inspections_created", "inspections", ["created", *filtered], unique=False)
    op.create_index("ix_inspections_asker", "inspections", ["asker", "created"], unique=False)
    op.create_index("ix_inspections_product", "inspections", ["product", "lot"], unique=False)
    op.create_index("ix_inspections_queue", "inspections", ["priority", "created", *filtered], unique=False)
    op.create_table(
        "rules",
        sa.Column("product", sa.String(length=200), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("product"),
    )
    op.create_table(
        "users",
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("printed_name", sa.String(length=200), nullable=False),
        sa.Column("roles", sa.String(length=200), nullable=False),
        sa.Column("password", sa.String(length=300), nullable=True),
        sa.Column("oidc", sa.String(length=400), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("locked_until", sa.Float(), nullable=True),
        sa.Column("created", sa.String(length=32), nullable=False),
        sa.Column("changed", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        sa.UniqueConstraint("oidc"),
    )
    op.create_table(
        "entries",
        sa.Column("inspection", sa.String(length=80), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["inspection"], ["inspections.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("inspection", "n"),
    )
    op.create_table(
        "sessions",
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("method", sa.String(length=10), nullable=False),
        sa.Column("started", sa.Float(), nullable=False),
        sa.Column("proved", sa.Float(), nullable=False),
        sa.Column("seen", sa.Float(), nullable=False),
        sa.Column("ended", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["name"], ["users.name"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("token_sha256"),
    )
    op.create_index("ix_sessions_name", "sessions", ["name"], unique=False)
    op.create_table(
        "signed_traces",
        sa.Column("inspection", sa.String(length=80), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["inspection"], ["inspections.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("inspection", "n"),
    )
    op.create_table(
        "traces",
        sa.Column("inspection", sa.String(length=80), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["inspection"], ["inspections.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("inspection"),
    )
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)
