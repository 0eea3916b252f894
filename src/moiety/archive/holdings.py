"""What each part holds on disk, and which of its backup's files each thing belongs to.

state   everything but what follows
seeds   B alone: what brings a face or a name back (seeds, personal keys), with the key of its store; kept shortly
keys    the part's own secret keys; only when asked for, and best kept apart
"""

from __future__ import annotations

import hashlib
import json
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moiety.archive.manifest import GalleryMark
from moiety.archive.packing import Member, member
from moiety.archive.tables import snapshot
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from moiety.archive.tables import Snapshot

PIECE = 1 << 20
STATE, SEEDS, KEYS = "state", "seeds", "keys"
# Whose rows say how much was asked in this hour: they mean nothing after a restore.
_OF_THE_HOUR = {"nonce", "budget"}
_PERSONAL = {"person"}
# Keys that are a part's data: a gallery is of no use without its rotation, a sealed seed without its store's key.
_DATA_KEYS = {Role.EYE: (STATE, "rotation-*.key"), Role.VAULT_B: (SEEDS, "store-*.key")}
# What a start makes anew, or what speaks of this disk alone.
_PASSING = (".new", ".part", ".sock", "-wal", "-shm", "-journal")
OWN_FILES = {"restored.json", "backups.json"}
SEED_FOLDER = "seeds"


@dataclass(frozen=True, slots=True)
class Holdings:
    """One part's folders."""

    role: Role
    folder: Path
    keys: Path

    def parts(self, *, with_keys: bool) -> list[str]:
        """Name the files of a run, the one with the shortest life first."""
        seeds = [SEEDS] if self.role is Role.VAULT_B else []
        # The mint has nothing but its keys.
        return [*seeds, STATE, *([KEYS] if with_keys or self.role is Role.MINT else [])]

    def _found(self) -> list[Path]:
        """List everything that lasts."""
        if not self.folder.is_dir():
            return []
        found = [path for path in self.folder.rglob("*") if path.is_file() and not path.is_symlink()]
        return sorted(path for path in found if path.name not in OWN_FILES and not path.name.endswith(_PASSING))

    def databases(self) -> list[Path]:
        """List the SQLite files."""
        return [path for path in self._found() if path.suffix == ".sqlite"]

    @contextmanager
    def frozen(self) -> Iterator[dict[Path, Snapshot]]:
        """See all databases at this moment."""
        with ExitStack() as stack:
            yield {path: stack.enter_context(snapshot(path)) for path in self.databases()}

    def _is_seed(self, path: Path) -> bool:
        return self.role is Role.VAULT_B and path.relative_to(self.folder).parts[0] == SEED_FOLDER

    def members(self, part: str, frozen: Mapping[Path, Snapshot]) -> Iterator[Member]:
        """Give what belongs into one file."""
        for path in self._keys(part):
            yield _file(f"keys/{path.name}", path)
        if part == KEYS:
            return
        for path, moment in frozen.items():
            yield from self._tables(part, path, moment)
        for path in self._found():
            if path not in frozen and self._is_seed(path) == (part == SEEDS):
                yield _file(f"files/{path.relative_to(self.folder).as_posix()}", path)

    def _keys(self, part: str) -> list[Path]:
        """List the key files that belong into one file."""
        of, pattern = _DATA_KEYS.get(self.role, (KEYS, ""))
        everything = [path for path in self.keys.glob("*") if path.is_file() and not path.name.endswith(_PASSING)]
        wanted = part if part == KEYS else of if part == of else None
        return sorted(path for path in everything if (of if pattern and path.match(pattern) else KEYS) == wanted)

    def _tables(self, part: str, path: Path, moment: Snapshot) -> Iterator[Member]:
        """Give the rows of a database that belong into one file; the tables themselves go with the state."""
        name = path.relative_to(self.folder).as_posix()
        if part == STATE:
            yield member(f"tables/{name}/schema", json.dumps(moment.schema()).encode())
        personal = _PERSONAL if self.role is Role.VAULT_B else set()
        for table in moment.names():
            if table in _OF_THE_HOUR or (table in personal) != (part == SEEDS):
                continue
            for number, batch in enumerate(moment.batches(table)):
                yield member(f"tables/{name}/{table}/{number:06}", batch)

    def galleries(self, frozen: Mapping[Path, Snapshot]) -> dict[str, GalleryMark]:
        """Say which rows the part holds of each gallery, at that moment."""
        found: dict[str, GalleryMark] = {}
        for moment in frozen.values():
            if self.role is Role.GATE:
                found |= _marks_of_gate(moment)
            elif self.role in {Role.VAULT_A, Role.VAULT_B}:
                found |= _marks_of_vault(moment)
        return found


def _file(name: str, path: Path) -> Member:
    """Take a file as it is now: what is added to it later is left out."""
    size = path.stat().st_size

    def content() -> Iterator[bytes]:
        left = size
        with path.open("rb") as file:
            while left and (piece := file.read(min(left, PIECE))):
                left -= len(piece)
                yield piece

    return Member(name, size, content())


def _order(rows: Iterable[tuple[bytes]]) -> tuple[int, str]:
    """Count ordered row ids and hash them, as the vaults do."""
    digest, count = hashlib.sha256(), 0
    for (row_id,) in rows:
        digest.update(row_id)
        count += 1
    return count, digest.hexdigest()


def _marks_of_vault(moment: Snapshot) -> dict[str, GalleryMark]:
    live = "SELECT row_id FROM row WHERE gallery = ? AND state = 'live' ORDER BY seq"
    return {
        gallery: GalleryMark(epoch, *_order(moment.read(live, (gallery,))))
        for gallery, epoch in list(moment.read("SELECT gallery, epoch FROM policy"))
    }


def _marks_of_gate(moment: Snapshot) -> dict[str, GalleryMark]:
    active = "SELECT row_id FROM template WHERE gallery_id = ? AND state = 'active' ORDER BY seq"
    return {
        gallery: GalleryMark(0, *_order(moment.read(active, (gallery,))))
        for (gallery,) in list(moment.read("SELECT id FROM gallery WHERE state = 'open'"))
    }
