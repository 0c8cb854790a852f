"""Alembic runs this. `kenpin.database.engine` hands over the connection and holds the transaction."""

from alembic import context

from kenpin.database.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transaction_per_migration=False,
    transactional_ddl=True,
    render_as_batch=True,
)
context.run_migrations()
