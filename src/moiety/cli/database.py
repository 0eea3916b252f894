"""Which database the gate has: a SQLite file in its folder, or the one on a server that the setting names."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from moiety.archive.holdings import ELSEWHERE, GATE_TABLES
from moiety.foundation import settings
from moiety.foundation.errors import Fault
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from moiety.archive.tables import Tables
    from moiety.cli.places import Place
    from moiety.storage import Store

SETTING = "MOIETY_DATABASE"
_TRACES = ("-wal", "-shm", "-journal")


def open_store(at: Place) -> Store:
    """Open the gate's database; a file that a restore or an earlier setting left is brought into the server first.

    Raises:
        Fault: the tables lie on a server and no setting names it, or they are another installation's.
        Unavailable: the server cannot be reached.

    """
    from moiety.storage import Store  # noqa: PLC0415 - only the gate loads its tables
    from moiety.storage.moving import bring_in  # noqa: PLC0415 - as above

    folder, where = at.installation.folder(Role.GATE), settings.setting(SETTING)
    file, elsewhere = folder / GATE_TABLES, folder / ELSEWHERE
    if not where:
        if elsewhere.exists() and not file.exists():
            raise Fault(f"The gate's tables lie on a database server: set {SETTING}, or restore a backup into a file.")
        return Store(file, at.clock, disk=at.disk)
    store = Store(where, at.clock, disk=at.disk, owner=at.installation.tenant)
    try:
        at.disk.write(elsewhere, b"{}")
        if file.exists():
            bring_in(file, store)
            for ending in _TRACES:
                at.disk.remove(file.with_name(file.name + ending))
            # A crash before this line leaves the file; the next start finds that the server has all of it.
            at.disk.shred(file)
    except BaseException:
        store.close()
        raise
    return store


def server_tables(role: Role) -> Callable[[], AbstractContextManager[Tables]] | None:
    """Say how a backup reads the tables of a gate whose database is on a server; None for all others."""
    where = settings.setting(SETTING) if role is Role.GATE else ""
    if not where:
        return None
    from moiety.archive.server_tables import server_snapshot  # noqa: PLC0415 - only the gate loads its tables

    return functools.partial(server_snapshot, where)
