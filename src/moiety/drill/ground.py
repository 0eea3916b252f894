"""The installation that is attacked: all its processes, in a drill's scratch folder, with parts weakened on demand."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from moiety.cli import gate, gateway, installation, places
from moiety.cli.supervisor import Supervisor
from moiety.drill.scratch import SITE
from moiety.foundation.errors import Fault
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from moiety.cli.gateway import Gate
    from moiety.cli.places import Place
    from moiety.cli.samples import Samples
    from moiety.people.house import House

# What the parts of a drill run with: no keys from elsewhere, all words in the logs, rows that only drills make.
ENVIRONMENT = {
    "MOIETY_KEYS": "",
    "MOIETY_LOG": "debug",
    "MOIETY_CANARIES": "0",
    "MOIETY_DECOYS": "0",
    # What an organisation states before it begins is nothing that an attacker would have to overcome.
    "MOIETY_RECORDS": "optional",
    "MOIETY_ASSESSMENT": "optional",
    "MOIETY_HOSTS": "",
    "MOIETY_DATABASE": "",
}


# A part on a busy machine is given more time to end than one that an operator waits for.
END_SECONDS = 60.0


class Parts(Supervisor):
    """A supervisor that can end single parts, and start them weakened or with another way to a peer."""

    def __init__(self, made: installation.Installation) -> None:
        """Serve `made` on free ports."""
        super().__init__(made, "127.0.0.1", 0, lambda _: None)
        self.weak: dict[Role, str] = {}
        self.detours: dict[tuple[Role, Role], tuple[str, int]] = {}

    def _command(self, role: Role) -> list[str]:
        """Run a weakened part in place of a sound one, where it is to be weak."""
        command = super()._command(role)
        if self.weak.get(role):
            command[1:3] = ["-m", "moiety.drill.weakened", self.weak[role]]
        for (asker, peer), (host, port) in self.detours.items():
            if asker is role:
                known = next(i for i, word in enumerate(command) if word.startswith(f"{peer.value}="))
                command[known] = f"{peer.value}={host}:{port}"
        return command

    def runs(self, role: Role) -> bool:
        """Whether a part runs at this moment."""
        return role in self._processes and self._processes[role].poll() is None

    def end(self, role: Role) -> None:
        """End a part as its supervisor does."""
        process = self._processes[role]
        if process.stdin:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()

    def begin(self, roles: list[Role]) -> None:
        """Start parts at the same time and wait until they serve."""
        for role in roles:
            self._spawn(role)
        for role in roles:
            self._await_ready(role)


class Ground:
    """One installation to be attacked. What a drill wants of it is arranged when it asks: see `owner` and `house`."""

    def __init__(self, folder: Path, photos: Samples) -> None:
        """Make it in a drill's scratch folder."""
        self.folder = folder
        self.photos = photos
        self._stack = contextlib.ExitStack()
        self._weak: dict[Role, str] = {}
        self._detours: dict[tuple[Role, Role], tuple[str, int]] = {}
        self._made_names = 0

    def __enter__(self) -> Self:
        """Start all parts."""
        temporary = self.folder / "tmp"
        temporary.mkdir(mode=0o700)
        self._stack.enter_context(environment({**ENVIRONMENT, "TMPDIR": str(temporary)}))
        try:
            self.made = installation.create(self.folder / SITE)
            self.parts = self._stack.enter_context(Parts(self.made))
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop all parts."""
        self._stack.close()

    # ---- arranging ----

    @contextmanager
    def weakened(self, weak: Mapping[Role, str]) -> Iterator[None]:
        """Let parts run with a weakness each from now on; they are sound again when next asked for after the block."""
        before, self._weak = self._weak, dict(weak)
        try:
            yield
        finally:
            self._weak = before
            # What a weakness has left there is no loot of the next drill.
            for path in (self.folder / "tmp").iterdir():
                path.unlink()

    @contextmanager
    def detour(self, asker: Role, peer: Role, address: tuple[str, int]) -> Iterator[None]:
        """Let a part reach a peer by another address, where a thief listens, as long as the block lasts."""
        self._detours[asker, peer] = address
        try:
            yield
        finally:
            del self._detours[asker, peer]

    def arrange(self, *, gate_runs: bool | None = None, down: tuple[Role, ...] = ()) -> None:
        """Let every part but those `down` run as it should now; None leaves the gate running or not as it is."""
        wanted = {role for role in Role if role not in down}
        if gate_runs is False or (gate_runs is None and not self.parts.runs(Role.GATE)):
            wanted.discard(Role.GATE)
        changed = {role for role in Role if self._changed(role)}
        for role in Role:
            if self.parts.runs(role) and (role not in wanted or role in changed):
                self.parts.end(role)
        self.parts.weak, self.parts.detours = dict(self._weak), dict(self._detours)
        # The gate last: it asks the others as soon as it runs.
        missing = [role for role in Role if role in wanted and not self.parts.runs(role)]
        self.parts.begin([role for role in missing if role is not Role.GATE])
        self.parts.begin([role for role in missing if role is Role.GATE])

    def _changed(self, role: Role) -> bool:
        """Whether a part that runs is not the one that should."""
        detours = {way: at for way, at in self._detours.items() if way[0] is role}
        before = {way: at for way, at in self.parts.detours.items() if way[0] is role}
        return self.parts.weak.get(role) != self._weak.get(role) or detours != before

    def process(self, role: Role) -> subprocess.Popen[str]:
        """Give a part's process."""
        return self.parts.process(role)

    def name(self, what: str) -> str:
        """Give a gallery's name that was not used before."""
        self._made_names += 1
        return f"{what}-{self._made_names}"

    # ---- with and without the real gate ----

    @property
    def url(self) -> str:
        """Where the gate listens."""
        return f"http://127.0.0.1:{self.parts.port}"

    @contextmanager
    def owner(self) -> Iterator[Gate]:
        """Give the owner's line to the running gate.

        Raises:
            Fault: the gate does not answer.

        """
        self.arrange(gate_runs=True)
        line = gateway.running(self.made.data)
        if line is None:
            raise Fault("The gate of the drill does not answer.")
        with line:
            yield line

    def house(self) -> House:
        """Be the gate: its process is ended, its services run here with its own keys, over real links."""
        self.arrange(gate_runs=False)
        return gate.house(self.place(Role.GATE))

    def place(self, role: Role) -> Place:
        """Take a role's keys and everybody's addresses."""
        return places.place(self.made, role, self.parts.addresses())

    # ---- looking at disks ----

    def files(self) -> list[Path]:
        """List every file of the installation."""
        return _files(self.made.data)

    def steal(self, *folders: Path) -> Path:
        """Copy folders as they are at this moment; gives the folder with the copies, each under its own place."""
        loot = self.folder / "loot" / self.name("stolen")
        for folder in folders:
            shutil.copytree(folder, loot / folder.relative_to(self.made.data), ignore=shutil.ignore_patterns("*.sock"))
        return loot

    def read(self, role: Role, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Read a role's database past the process that owns it."""
        name = "gate.sqlite" if role is Role.GATE else "journal.sqlite"
        with sqlite3.connect(f"file:{self.made.folder(role) / name}?mode=ro", uri=True, timeout=10) as db:
            found = db.execute(query, values).fetchall()
        db.close()
        return found


def _files(folder: Path) -> list[Path]:
    """List the files below a folder."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


@contextmanager
def environment(wanted: Mapping[str, str]) -> Iterator[None]:
    """Set variables for this process and those that it starts, as long as the block lasts."""
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
