"""Bringing a database to the newest schema, at every start."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.util import CommandError

from moiety.foundation.errors import Fault
from moiety.storage.engine import plain_errors

if TYPE_CHECKING:
    from sqlalchemy import Engine


def migrate(engine: Engine, to: str = "head") -> None:
    """Run what is missing of `migrations/versions` up to the version `to`, all in one transaction.

    A crash here leaves the old schema whole; the next start runs the same steps again.

    Raises:
        Fault: the database was written by a newer version of moiety.
        DiskFull: there is no room for the new tables; the old schema stands.

    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    with plain_errors(), engine.begin() as connection:
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, to)
        except CommandError:
            raise Fault(
                "The gate's database was written by another version of moiety, and no version goes back; use that one, "
                "or restore a backup that this one made."
            ) from None
