"""A PostgreSQL server for one benchmark or one run of tests: its own folder, socket and port, gone at the end.

It promises nothing about power cuts (`fsync = off`), as nothing of it outlives the run, and asks for a password, so
that a password is there to be looked for in logs and errors.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from moiety.foundation.errors import NotFound, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

START_SECONDS = 60.0
STOP_SECONDS = 60.0
USER = "moiety"
# A server refuses to run as root; these are there where a package installed it, and everywhere.
_OTHERS = ("postgres", "nobody")


# A run of tests that is killed takes its server with it, where util-linux is installed.
_ENDS_WITH_US = ("setpriv", "--pdeathsig", "INT") if shutil.which("setpriv") else ()


def programs() -> Path:
    """Find the folder of the server's programs, the newest where there are several.

    Raises:
        NotFound: PostgreSQL is not installed.

    """
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    known = shutil.which("initdb")
    if found:
        return found[-1].parent
    if known is None:
        raise NotFound("PostgreSQL is not installed on this machine (Debian: the package `postgresql`).")
    return Path(known).resolve().parent


def _account() -> dict[str, Any]:
    """Say as whom the server runs: root is turned into another user."""
    if os.geteuid() != 0:
        return {}
    for name in _OTHERS:
        with suppress(KeyError):
            user = pwd.getpwnam(name)
            return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    raise NotFound("PostgreSQL does not run as root, and this machine has no other user for it.")


class ScratchServer:
    """A server that can be stopped and started, with databases by name."""

    def __init__(self, folder: Path) -> None:
        """Make its files in the empty `folder`."""
        self._programs = programs()
        self._folder = folder
        self._account = _account()
        self._process: subprocess.Popen[bytes] | None = None
        self.data = folder / "data"
        self.password = secrets.token_urlsafe(16)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        if self._account:
            os.chown(folder, self._account["user"], self._account["group"])
        self._init()

    def _init(self) -> None:
        told = self._folder / "password"
        told.write_text(self.password)
        if self._account:
            os.chown(told, self._account["user"], self._account["group"])
        line = ["initdb", "-D", self.data, "-U", USER, "-A", "scram-sha-256", "--pwfile", told, "-E", "UTF8"]
        made = self._run([*line, "--locale=C", "--no-sync", "--data-checksums"])
        told.unlink()
        if made.returncode:
            raise Unavailable(f"PostgreSQL's initdb failed ({made.returncode}).")

    def _run(self, line: list[Any]) -> subprocess.CompletedProcess[bytes]:
        words = [str(self._programs / line[0]), *map(str, line[1:])]
        return subprocess.run(words, capture_output=True, check=False, cwd=self._folder, **self._account)  # noqa: S603 - a program of the server's

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self._folder,
            "fsync": "off",
            "max_connections": 100,
        }
        words = [*_ENDS_WITH_US, str(self._programs / "postgres"), "-D", str(self.data)]
        for name, value in options.items():
            words += ["-c", f"{name}={value}"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(words, stdout=log, stderr=log, cwd=self._folder, **self._account)  # noqa: S603 - as above
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            with suppress(psycopg.OperationalError):
                self._admin().close()
                return
            time.sleep(0.05)
        raise Unavailable("PostgreSQL did not start.")

    def stop(self, *, at_once: bool = False) -> None:
        """Stop it; `at_once` as a crash would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT if at_once else signal.SIGINT)
            self._process.wait(STOP_SECONDS)
            self._process = None

    def _admin(self) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host=str(self._folder),
            port=self.port,
            user=USER,
            password=self.password,
            dbname="postgres",
            autocommit=True,
        )

    def create(self, name: str, *, like: str = "template0", encoding: str = "UTF8", language: str = "") -> str:
        """Make a database, a copy of another where one is named; gives its URL."""
        words = sql.SQL("CREATE DATABASE {} TEMPLATE {} ENCODING {} LOCALE 'C'")
        line = words.format(sql.Identifier(name), sql.Identifier(like), encoding)
        if language:
            line += sql.SQL(" LOCALE_PROVIDER icu ICU_LOCALE {}").format(language)
        with self._admin() as admin:
            admin.execute(line)
        return self.url(name)

    def drop(self, name: str) -> None:
        """Remove a database, whoever is connected to it."""
        with self._admin() as admin:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def url(self, name: str, *, tcp: bool = False) -> str:
        """Give a database's URL with the password in it, through the socket or over TCP."""
        at = f"127.0.0.1:{self.port}/{name}" if tcp else f"/{name}?host={self._folder}&port={self.port}"
        return f"postgresql://{USER}:{self.password}@{at}"

    def connect(self, name: str) -> psycopg.Connection[Any]:
        """Open a database as its owner does, beside the gate."""
        return psycopg.connect(
            host=str(self._folder), port=self.port, user=USER, password=self.password, dbname=name, autocommit=True
        )


@contextmanager
def scratch_server() -> Iterator[ScratchServer]:
    """Run a server in a temporary folder.

    Raises:
        NotFound: PostgreSQL is not installed.
        Unavailable: it does not start.

    """
    with tempfile.TemporaryDirectory(prefix="moiety-pg-", ignore_cleanup_errors=True) as folder:
        server = ScratchServer(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.stop()
