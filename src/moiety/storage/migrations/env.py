"""What Alembic runs; the connection, with its transaction open, is handed over by `moiety.storage.schema`."""

from __future__ import annotations

from alembic import context

from moiety.storage.tables import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
context.run_migrations()
