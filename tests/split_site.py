"""An installation whose parts have nothing in common but a network: the ceremony's page, carried out by its operators.

with Apart(folder) as apart:
    apart.follow("1", "2")
    apart.start_all()
    apart.moiety(Role.GATE, "gallery", "create", "staff", "--purpose", "a test")
    apart.lines[Role.VAULT_B].stall()
"""

from __future__ import annotations

import contextlib
import os
import pty
import re
import shlex
import shutil
import sqlite3
import subprocess
import threading
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any, Self, cast

from bad_lines import BadLine
from harness import MOIETY, Holding, Said, Site, free_port
from moiety.cli import installation
from moiety.cli.apart import Where
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PAGE = Path(__file__).resolve().parents[1] / "docs" / "ceremony.md"
READY_SECONDS = 180.0
DELAY_S = 0.05
# The ports that the page names.
PORTS = {role: 7101 + n for n, role in enumerate((Role.EYE, Role.VAULT_A, Role.VAULT_B, Role.MINT, Role.WITNESS))}


def blocks(section: str) -> list[tuple[str, list[str]]]:
    """Read the commands of one section of the page: (whose machine, lines), in order."""
    found = re.search(rf"(?ms)^## {re.escape(section)}.*?(?=^## |\Z)", PAGE.read_text())
    assert found, section
    fences = re.findall(r"(?ms)^```sh (.+?)\n(.*?)^```$", found[0])
    return [(whose, text.strip().splitlines()) for whose, text in fences]


class Apart:
    """Six machines: a folder each, a network of slow and breakable lines, and people who read words to each other."""

    def __init__(self, folder: Path) -> None:
        """Prepare empty machines in `folder`."""
        self.folder = folder
        self.ports = {role: free_port() for role in Role}
        self.page_port = free_port()
        self.lines = {role: BadLine(("127.0.0.1", self.ports[role])) for role in PORTS}
        self.running: dict[Role, subprocess.Popen[str]] = {}
        self.said: dict[Role, list[str]] = {role: [] for role in Role}
        self.heard: dict[str, str] = {}
        self.tenant = self.gallery = ""
        self._open = contextlib.ExitStack()
        for role in Role:
            (folder / role / "desk").mkdir(parents=True)

    def __enter__(self) -> Self:
        """Lay the lines."""
        for line in self.lines.values():
            self._open.enter_context(line)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop what runs."""
        for role in list(self.running):
            self.stop(role)
        self._open.close()

    # ---- what lies where ----

    def data(self, role: Role) -> Path:
        """Say where a machine keeps its part."""
        return self.folder / role / "moiety"

    def desk(self, role: Role) -> Path:
        """Say where a machine's operator keeps cards."""
        return self.folder / role / "desk"

    def made(self, role: Role) -> installation.Installation:
        """Open a machine's folder."""
        return installation.load(self.data(role))

    def log(self, role: Role) -> str:
        """Read what a part said on standard error."""
        return (self.folder / role / "log").read_text()

    def read(self, role: Role, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Read a role's database past the process that owns it."""
        name = "gate.sqlite" if role is Role.GATE else "journal.sqlite"
        path = self.made(role).folder(role) / name
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as db:
            return db.execute(query, values).fetchall()

    def holding(self) -> Holding:
        """Read what A, B and the gate hold of people."""
        return Site.holding(cast("Site", self))

    # ---- people at their machines ----

    def _environment(self, role: Role) -> dict[str, str]:
        told = {"TENANT": self.tenant, "GALLERY": self.gallery}
        return {**os.environ, **told, "MOIETY_DATA": str(self.data(role)), "MOIETY_WITNESS_PORT": str(self.page_port)}

    def _localised(self, role: Role, line: str) -> list[str]:
        """Read a line of the page as a shell would, with this network's addresses."""
        for other, port in PORTS.items():
            line = line.replace(f"{other}.example.org:{port}", "{}:{}".format(*self.lines[other].address))
        line = line.replace(f"0.0.0.0:{PORTS.get(role)}", f"127.0.0.1:{self.ports[role]}")
        line = line.replace("127.0.0.1:8080", f"127.0.0.1:{self.ports[Role.GATE]}")
        words = shlex.split(Template(line).substitute(self._environment(role)))
        assert words[0] == "moiety", line
        return words[1:]

    def moiety(
        self, role: Role, *words: str | Path, typed: str | None = None, code: int | None = 0, around: Sequence[str] = ()
    ) -> Said:
        """Run a command at a machine; `typed` is what its operator types at the terminal."""
        command = [*around, MOIETY, *map(str, words)]
        terminal = stdin = None
        if typed is not None:
            terminal, stdin = pty.openpty()
            os.write(terminal, typed.encode() + b"\n")
        done = subprocess.run(
            command,
            stdin=stdin if stdin is not None else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            cwd=self.desk(role),
            env=self._environment(role),
        )
        for descriptor in (terminal, stdin):
            if descriptor is not None:
                os.close(descriptor)
        assert code in {None, done.returncode}, f"{role} {words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return Said(done.returncode, done.stdout, done.stderr)

    def follow(self, section: str) -> None:
        """Carry out a section of the page, line by line."""
        for whose, lines in blocks(section):
            for role in Role if whose == "all" else [Role(whose.split()[0])]:
                for line in lines:
                    self.do(role, line)

    def do(self, role: Role, line: str) -> Said:
        """Carry out one line, and what the page says around it: cards are mailed, words are read over the phone."""
        words = self._localised(role, line)
        typed = None
        if words[:2] == ["card", "add"]:
            typed = "\n".join(self.heard[one] for one in words if one.endswith(".card"))
        said = self.moiety(role, *words, typed=typed)
        if "init" in words and not self.tenant:
            self.tenant = re.findall(r"tenant: (ten_\w+)", said.out)[0]
        if words[:2] == ["gallery", "create"]:
            self.gallery = re.findall(r"gal_\w+", said.out)[0]
        if words[:2] == ["card", "show"]:
            self.heard[words[-1]] = re.findall(r"words: +(\S+)", said.out)[0]
            for other in Role:
                if other is not role:
                    shutil.copy(self.desk(role) / words[-1], self.desk(other))
        return said

    # ---- parts ----

    def start(self, role: Role, *options: str, around: Sequence[str] = (), wait: bool = True) -> None:
        """Start a machine's part."""
        with (self.folder / role / "log").open("a") as log:
            process = subprocess.Popen(
                [*around, MOIETY, "serve", *options],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=self._environment(role),
            )
        self.running[role], self.said[role] = process, []
        stdout = process.stdout
        assert stdout is not None
        reader = threading.Thread(target=lambda: self.said[role].append(stdout.readline().strip()), daemon=True)
        reader.start()
        if wait:
            self.wait(role, reader)

    def wait(self, role: Role, reader: threading.Thread) -> None:
        """Wait for a part's word that it serves."""
        reader.join(READY_SECONDS)
        said = self.said[role]
        assert said, f"{role} says nothing\n{self.log(role)}"
        assert said[0].startswith(f"{role} is ready at "), f"{role}: {said}\n{self.log(role)}"

    def start_all(self) -> None:
        """Start every part, in no good order."""
        for role in (Role.GATE, Role.VAULT_A, Role.EYE, Role.VAULT_B, Role.WITNESS, Role.MINT):
            self.start(role)

    def stop(self, role: Role) -> int:
        """Stop a part as systemd does; gives its exit code."""
        process = self.running.pop(role)
        process.terminate()
        return process.wait(30)

    def where(self, role: Role) -> Where:
        """Read a part's addresses."""
        return Where.load(self.made(role))

    def slow(self, delay_s: float) -> None:
        """Make every line between parts slower or faster."""
        for line in self.lines.values():
            line.delay_s = delay_s

    @contextlib.contextmanager
    def trouble(self, role: Role) -> Iterator[BadLine]:
        """Do something to the line to a part; afterwards it carries again."""
        line = self.lines[role]
        try:
            yield line
        finally:
            line.flow()
            line.cut()
