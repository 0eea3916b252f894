"""What each part holds on disk, and which of its backup's files each thing belongs to.

state   everything but what follows
seeds   B alone: what brings a face or a name back (seeds, personal keys), with the keys of its store; kept shortly
keys    the part's own secret keys; only when asked for, and best kept apart

Of a gallery's halves only the epoch in force is copied: two epochs of one half would give away what B sent in between.
"""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from moiety.archive.marks import marks
from moiety.archive.packing import PIECE, Member, member
from moiety.archive.tables import snapshot
from moiety.foundation.errors import Unavailable
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from moiety.archive.manifest import GalleryMark
    from moiety.archive.tables import Tables

STATE, SEEDS, KEYS = "state", "seeds", "keys"
TRIES = 5
# Whose rows say how much was asked in this hour: they mean nothing after a restore.
_OF_THE_HOUR = {"nonce", "budget"}
_PERSONAL = {"person", "fresh"}
_IN_FORCE = "epoch = (SELECT epoch FROM policy WHERE policy.gallery = {table}.gallery)"
# Keys that are a part's data: a gallery is of no use without its rotation, a sealed seed without its key.
_DATA_KEYS = {Role.EYE: (STATE, "rotation-*.key"), Role.VAULT_B: (SEEDS, "store-*.key")}
_HALVES = {Role.VAULT_A: "rows", Role.VAULT_B: "seeds"}
# What a start makes anew, or what speaks of this disk alone.
_PASSING = (".new", ".part", ".sock", "-wal", "-shm", "-journal", ".lock")
# Beside the part's folder: which installation it is of, and where the part and its peers listen.
SITE_FILES = ("installation.json", "serve.json")
# Says that the gate's tables lie on a server.
ELSEWHERE = "elsewhere.json"
OWN_FILES = {"restored.json", "backups.json", "tombstones.json", ELSEWHERE}
GATE_TABLES = "gate.sqlite"


@dataclass(frozen=True, slots=True)
class Holdings:
    """One part's folders; `server` opens the gate's tables where they lie on one."""

    role: Role
    folder: Path
    keys: Path
    server: Callable[[], AbstractContextManager[Tables]] | None = None

    def parts(self, *, with_keys: bool) -> list[str]:
        """Name the files of a run, the one with the shortest life first."""
        seeds = [SEEDS] if self.role is Role.VAULT_B else []
        # The mint has nothing but its keys.
        return [*seeds, STATE, *([KEYS] if with_keys or self.role is Role.MINT else [])]

    @contextmanager
    def frozen(self) -> Iterator[Frozen]:
        """See everything at this moment, while the part goes on writing.

        Raises:
            Unavailable: files went away again and again while they were opened.

        """
        for _ in range(TRIES):
            with ExitStack() as stack:
                try:
                    frozen = self._freeze(stack)
                except FileNotFoundError:
                    continue  # a key was turned or an epoch dropped between two steps
                yield frozen
                return
        raise Unavailable("The part changes faster than it can be copied; try again.")

    def _freeze(self, stack: ExitStack) -> Frozen:
        """Fix the databases' moment, then hold on to the files that belong to it."""
        found = self._found()
        databases: dict[str, Tables] = {
            path.relative_to(self.folder).as_posix(): stack.enter_context(snapshot(path))
            for path in found
            if path.suffix == ".sqlite"
        }
        # A file that is there is still to be brought into the server, which has nothing yet.
        if self.server and GATE_TABLES not in databases:
            databases[GATE_TABLES] = stack.enter_context(self.server())
        frozen = Frozen(self.role, databases)
        for path in found:
            name = path.relative_to(self.folder).as_posix()
            if name not in databases:
                frozen.files[name] = (STATE, stack.enter_context(path.open("rb")))
        for path in (self.folder.parent / name for name in SITE_FILES):
            if path.is_file():
                frozen.site[path.name] = path.read_bytes()
        for path in self._halves(databases):
            name = path.relative_to(self.folder).as_posix()
            frozen.files[name] = (STATE if self.role is Role.VAULT_A else SEEDS, stack.enter_context(path.open("rb")))
        for path in sorted(self.keys.glob("*")):
            if path.is_file() and not path.name.endswith(_PASSING):
                part, pattern = _DATA_KEYS.get(self.role, (KEYS, ""))
                frozen.keys[path.name] = (part if pattern and path.match(pattern) else KEYS, path.read_bytes())
        return frozen

    def _found(self) -> list[Path]:
        """List what lasts beside the halves' files."""
        if not self.folder.is_dir():
            return []
        found = [path for path in self.folder.rglob("*") if path.is_file() and not path.is_symlink()]
        halves = _HALVES.get(self.role)
        return sorted(
            path
            for path in found
            if path.name not in OWN_FILES
            and not path.name.endswith(_PASSING)
            and path.relative_to(self.folder).parts[0] != halves
        )

    def _halves(self, databases: dict[str, Tables]) -> list[Path]:
        """Name the files of the generations in force; a gallery that never had a row has none."""
        if self.role not in _HALVES:
            return []
        folder = self.folder / _HALVES[self.role]
        in_force = f"SELECT gallery, epoch, sealing, flat FROM generation WHERE {_IN_FORCE}".format(table="generation")  # noqa: S608 - fixed words
        found = [row for moment in databases.values() for row in moment.read(in_force)]
        if self.role is Role.VAULT_B:
            return [folder / f"{gallery}.{epoch}.{key}.seeds" for gallery, epoch, key, flat in found if flat]
        sorts = ("rows", "salts", "commitments")
        named = [folder / f"{gallery}.{epoch}.{sort}" for gallery, epoch, _, _ in found for sort in sorts]
        used = {row[0] for moment in databases.values() for row in moment.read("SELECT DISTINCT gallery FROM row")}
        return [path for path in named if path.exists() or path.name.split(".")[0] in used]


@dataclass(frozen=True, slots=True)
class Frozen:
    """One moment of a part: its databases, its files held open, its keys."""

    role: Role
    databases: dict[str, Tables]
    files: dict[str, tuple[str, BinaryIO]] = field(default_factory=dict)
    keys: dict[str, tuple[str, bytes]] = field(default_factory=dict, repr=False)
    site: dict[str, bytes] = field(default_factory=dict)

    def galleries(self) -> dict[str, GalleryMark]:
        """Say which rows the part holds of each gallery."""
        return {name: mark for one in self.databases.values() for name, mark in marks(self.role, one).items()}

    def members(self, part: str) -> Iterator[Member]:
        """Give what belongs into one file of the backup."""
        for name, (of, content) in self.keys.items():
            if of == part:
                yield member(f"keys/{name}", content)
        if part == KEYS:
            return
        if part == STATE:
            yield from (member(f"site/{name}", content) for name, content in self.site.items())
        for name, moment in self.databases.items():
            yield from self._tables(part, name, moment)
        for name, (of, file) in self.files.items():
            if of == part:
                yield _file(f"files/{name}", file)

    def _tables(self, part: str, name: str, moment: Tables) -> Iterator[Member]:
        """Give the rows of a database that belong into one file; the tables themselves go with the state."""
        if part == STATE:
            yield member(f"tables/{name}/schema", json.dumps(moment.schema()).encode())
        personal = _PERSONAL if self.role is Role.VAULT_B else set()
        for table in moment.names():
            if table in _OF_THE_HOUR or (table in personal) != (part == SEEDS):
                continue
            of_one_epoch = self.role in _HALVES and table in {"generation", "fresh"}
            batches = moment.batches(table, _IN_FORCE.format(table=table) if of_one_epoch else "")
            for number, batch in enumerate(batches):
                yield member(f"tables/{name}/{table}/{number:06}", batch)


def _file(name: str, file: BinaryIO) -> Member:
    """Take a file as long as it is now: what is added later is no row of this moment."""
    size = file.seek(0, 2)

    def content() -> Iterator[bytes]:
        left = size
        file.seek(0)
        while left and (piece := file.read(min(left, PIECE))):
            left -= len(piece)
            yield piece

    return Member(name, size, content())
