"""The two databases on which the same tests run: a SQLite file, and one on a PostgreSQL server of the tests' own.

A module of tests that says `pytestmark = BOTH` runs twice, but for tests that say `SQLITE`. `at(path)` is then the
file, or a URL that is as good: the same path names the same database until the test ends.
"""

from __future__ import annotations

import atexit
import hashlib
import sqlite3
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest

from moiety.cli.bench.scratch_postgres import ScratchServer, programs, scratch_server
from moiety.foundation.clock import HandClock
from moiety.foundation.errors import NotFound
from moiety.storage import Store
from moiety.storage.engine import open_engines
from moiety.storage.schema import migrate
from moiety.storage.tables import Base

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Engine

KINDS = ("sqlite", "postgresql")
BOTH = pytest.mark.both_databases
SQLITE = pytest.mark.both_databases(KINDS[0])
TEMPLATE = "template_of_tests"


class Databases:
    """Which database the running test is on, and the server of this process of tests, started when first needed."""

    def __init__(self) -> None:
        self.kind = KINDS[0]
        self._stack = ExitStack()
        self._server: ScratchServer | None = None
        self._made: dict[str, str] = {}

    @property
    def server(self) -> ScratchServer:
        """Start the server once, with one database that has the tables already."""
        if self._server is None:
            try:
                programs()
            except NotFound as missing:
                pytest.skip(str(missing))
            self._server = self._stack.enter_context(scratch_server())
            atexit.register(self._stack.close)
            Store(self._server.create(TEMPLATE), HandClock()).close()
        return self._server

    def must_run(self) -> None:
        """Start the server, or skip the test where none is installed."""
        assert self.server.port

    @staticmethod
    def name(path: Path) -> str:
        """Name the database that stands for a path."""
        return "t_" + hashlib.sha256(str(path).encode()).hexdigest()[:24]

    def url(self, path: Path, like: str = TEMPLATE) -> str:
        """Give the URL of the database that stands for a path; a new one is a copy of another."""
        name = self.name(path)
        if name not in self._made:
            self._made[name] = self.server.create(name, like=like)
        return self._made[name]

    def forget(self) -> None:
        """Drop what a test has made."""
        for name in self._made:
            self.server.drop(name)
        self._made.clear()


DATABASES = Databases()


def at(path: Path) -> Path | str:
    """Give the place of a test's database."""
    return path if DATABASES.kind == "sqlite" else DATABASES.url(path)


def at_version(path: Path, version: str) -> Engine:
    """Make the database that an earlier version of moiety wrote, without rows; whoever asks disposes of the engine."""
    where = path if DATABASES.kind == "sqlite" else DATABASES.url(path, "template0")
    engine = open_engines(where, create=True).writers
    migrate(engine, version)
    return engine


def run_beside(path: Path, *statements: str) -> None:
    """Do what a thief with the file, or the owner of the database, does behind the gate's back."""
    if DATABASES.kind == "sqlite":
        with closing(sqlite3.connect(path, isolation_level=None)) as thief:
            for statement in statements:
                thief.execute(statement)
        return
    with DATABASES.server.connect(DATABASES.name(path)) as owner:
        for statement in statements:
            owner.execute(statement.encode())


def without_trigger(table: str, name: str) -> str:
    """Write the statement that takes a trigger off a table."""
    return f"DROP TRIGGER {name}" + (f" ON {table}" if DATABASES.kind != "sqlite" else "")


def held(path: Path) -> bytes:
    """Read all that the database holds: a file's bytes with those of its log, or every row of every table."""
    if DATABASES.kind == "sqlite":
        return b"".join(one.read_bytes() for one in path.parent.iterdir())
    found = bytearray()
    with DATABASES.server.connect(DATABASES.name(path)) as owner, owner.cursor() as cursor:
        for table in Base.metadata.tables:
            with cursor.copy(f"COPY {table} TO STDOUT (FORMAT binary)".encode()) as rows:
                for piece in rows:
                    found += piece
    return bytes(found)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests that are marked so on both databases."""
    marker = metafunc.definition.get_closest_marker(BOTH.name)
    if marker:
        metafunc.parametrize("database", marker.args or KINDS, indirect=True)


@pytest.fixture(autouse=True)
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """Choose the database of a test, before anything else of it is set up."""
    DATABASES.kind = getattr(request, "param", KINDS[0])
    if DATABASES.kind != KINDS[0]:
        DATABASES.must_run()
    yield DATABASES.kind
    DATABASES.kind = KINDS[0]
    DATABASES.forget()
