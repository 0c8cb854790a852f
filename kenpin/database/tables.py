"""Every table. Text that people wrote lies in sealed columns only; plain is what must be filtered or counted."""

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

METADATA = MetaData(naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s"})

NAME = 200
"""Characters of a name, a product, a lot."""
SHA = 64

inspections = Table(
    "inspections",
    METADATA,
    Column("id", String(80), primary_key=True),
    Column("created", String(32), nullable=False),
    Column("updated", String(32), nullable=False),
    Column("asker", String(NAME)),
    Column("speakers", Text, nullable=False, server_default=""),
    Column("product", String(NAME)),
    Column("lot", String(NAME)),
    Column("part", String(NAME)),
    Column("picture", String(SHA)),
    Column("planner", String(40), nullable=False),
    Column("model", String(NAME), nullable=False),
    Column("proposed", String(12)),
    Column("verdict", String(12)),
    Column("rule", String(NAME)),
    Column("findings", Integer),
    Column("disagrees", Boolean, nullable=False),
    Column("state", String(12), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("signed_by", String(NAME)),
    Column("signed_at", String(32)),
    Column("head", Integer, nullable=False),
    Column("trace_sha256", String(SHA), nullable=False),
)
"""One row an inspection: what the queue shows and filters. `priority` is 0 for uncertain or disagreeing, 1 ng, 2 ok,
3 without a verdict. `speakers` holds the names of all who said something, one a line."""
FILTERED = tuple(inspections.c[name] for name in ("id", "state", "verdict", "disagrees", "planner", "asker"))
"""What lists of inspections filter. Product and lot have an index of their own: three long names of four-byte signs
would pass PostgreSQL's limit of 2,704 bytes."""
Index("ix_inspections_queue", inspections.c.priority, inspections.c.created, *FILTERED)
Index("ix_inspections_created", inspections.c.created, *FILTERED)
# In the orders of the two lists, with what they filter: a page is read in order, and counted, from the index alone.
# With 10,000 inspections on SQLite a page takes 0.06 ms instead of 9 (bench/review_speed.py).
Index("ix_inspections_asker", inspections.c.asker, inspections.c.created)
Index("ix_inspections_product", inspections.c.product, inspections.c.lot)

traces = Table(
    "traces",
    METADATA,
    Column("inspection", String(80), ForeignKey("inspections.id", ondelete="CASCADE"), primary_key=True),
    Column("body", LargeBinary, nullable=False),
)
"""The trace as JSON, sealed. Apart from `inspections`, so that the queue never reads it."""

entries = Table(
    "entries",
    METADATA,
    Column("inspection", String(80), ForeignKey("inspections.id", ondelete="CASCADE"), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("at", String(32), nullable=False),
    Column("by", String(NAME), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("previous", String(SHA), nullable=False),
    Column("sha256", String(SHA), nullable=False),
)
"""Reviews: one row an act, its body sealed. Rows are added, never changed."""

signed_traces = Table(
    "signed_traces",
    METADATA,
    Column("inspection", String(80), ForeignKey("inspections.id", ondelete="CASCADE"), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)
"""The trace exactly as entry `n` signed it, sealed; an amendment may add turns to the one in `traces`."""

audit = Table(
    "audit",
    METADATA,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", String(32), nullable=False),
    Column("actor", String(NAME), nullable=False),
    Column("action", String(60), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("detail", Text, nullable=False),
    Column("previous", String(SHA), nullable=False),
    Column("sha256", String(SHA), nullable=False),
)
"""The chained log. The database itself refuses to change or delete its rows."""
Index("ix_audit_subject", audit.c.subject)
Index("ix_audit_actor", audit.c.actor)

case_queue = Table(
    "case_queue",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("case_id", String(120), nullable=False),
    Column("inspection", String(80), nullable=False),
    Column("action", String(10), nullable=False),
    Column("body", LargeBinary),
    Column("done", Boolean, nullable=False),
)
"""What the case store still has to take in (`add`) or give up (`withdraw`): written with the signature, in one
transaction, so that a killed process leaves the case store behind the records but never ahead of them."""
Index("ix_case_queue_done", case_queue.c.done, case_queue.c.id)

users = Table(
    "users",
    METADATA,
    Column("name", String(NAME), primary_key=True),
    Column("printed_name", String(NAME), nullable=False),
    Column("roles", String(NAME), nullable=False),
    Column("password", String(300)),
    Column("oidc", String(400), unique=True),
    Column("active", Boolean, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("locked_until", Float),
    Column("created", String(32), nullable=False),
    Column("changed", String(32), nullable=False),
)
"""Accounts. `password` is an argon2 hash, `oidc` issuer and subject of a provider; one of them may be missing."""

sessions = Table(
    "sessions",
    METADATA,
    Column("token_sha256", String(SHA), primary_key=True),
    Column("name", String(NAME), ForeignKey("users.name", ondelete="CASCADE"), nullable=False),
    Column("method", String(10), nullable=False),
    Column("started", Float, nullable=False),
    Column("proved", Float, nullable=False),
    Column("seen", Float, nullable=False),
    Column("ended", Boolean, nullable=False),
)
"""Sessions by the hash of their token. `proved` is when the person last showed a password or came from the provider."""
Index("ix_sessions_name", sessions.c.name)

rules = Table(
    "rules",
    METADATA,
    Column("product", String(NAME), primary_key=True),
    Column("body", Text, nullable=False),
)
"""Review rules by product; the product "" holds for all others."""

data_keys = Table(
    "data_keys",
    METADATA,
    Column("record", String(120), primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
    Column("master", String(16), nullable=False),
)
"""The data key of each record, wrapped by the master key that `master` names."""
Index("ix_data_keys_master", data_keys.c.master)

installation = Table(
    "installation",
    METADATA,
    Column("name", String(40), primary_key=True),
    Column("body", Text, nullable=False),
)
"""What an administrator set for the whole installation, by name, as JSON."""
