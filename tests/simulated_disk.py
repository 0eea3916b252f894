"""A disk on which every durable write is a step: the process may die before it, in it or after it, or has no room.

What was written and not synced is lost, kept or torn when the power is cut. The files are real ones, in a folder
that is best kept in memory; nothing is really synced.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from moiety.foundation.disk import PRIVATE, PRIVATE_FOLDER
from moiety.foundation.errors import DiskFull
from simulated_time import NOBODY, Died

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

    from moiety.foundation.disk import Bytes
    from simulated_time import Process, Trace

SECTOR = 512
DEATHS = ("before", "torn", "after")
FATES = (*DEATHS, "full")


@dataclass
class Fuse:
    """Burns down with the durable writes of one part, or of all; the next one then dies, or finds no room."""

    part: str | None
    steps: int
    fate: str
    lit: bool = True


@dataclass
class Steps:
    """Counts the durable writes of all parts, over all their lives, and decides which of them fail."""

    trace: Trace
    dice: random.Random
    fuses: list[Fuse] = field(default_factory=list)
    full: set[str] = field(default_factory=set)
    taken: int = 0
    deaths: int = 0
    refused: int = 0
    names: list[str] | None = None

    def fate(self, part: str, what: str) -> str | None:
        """Take one step."""
        self.taken += 1
        if self.names is not None:
            self.names.append(f"{part} {what}")
        found = None
        for fuse in [fuse for fuse in self.fuses if fuse.part in {None, part}]:
            if fuse.steps == 0:
                self.fuses.remove(fuse)
                found = fuse.fate
            fuse.steps -= 1
        self.trace.note(f"step {part} {what} {found}")
        return found


@dataclass
class _Written:
    """One write to a file that was not synced yet."""

    at: int
    old: bytes
    new: bytes
    size_before: int
    size_after: int


class SimulatedDisk:
    """What one process writes; what it has not synced dies with it."""

    def __init__(self, process: Process, steps: Steps) -> None:
        """Write for `process`."""
        self._process = process
        self._steps = steps
        self._unsynced: dict[Path, list[_Written]] = {}
        self._databases: list[sqlite3.Connection] = []
        process.at_death.append(self._lose)

    # ---- death ----

    def step(
        self,
        what: str,
        work: Callable[[], object],
        torn: Callable[[], object] | None = None,
        *,
        grows: bool = False,
    ) -> None:
        """Carry out one durable write, or die at it, or find no room; `torn` is what it may leave half done."""
        if not self._process.alive:
            raise Died
        fate = self._steps.fate(self._process.name, what)
        if fate in {None, "full"}:
            if grows:
                self._must_have_room(full=fate == "full")
            work()
            return
        if fate == "torn" and torn:
            torn()
        elif fate != "before":
            work()
        self._steps.deaths += 1
        self._process.die()
        raise Died

    def _must_have_room(self, *, full: bool = False) -> None:
        """Refuse what needs room on a full disk."""
        if full or self._process.name in self._steps.full:
            self._steps.refused += 1
            raise OSError(errno.ENOSPC, "the simulated disk is full")

    def _lose(self) -> None:
        """Cut the power: of each file's unsynced writes any may have reached the disk, whole or by sectors."""
        dice = self._steps.dice
        for path, writes in self._unsynced.items():
            if not path.exists():
                continue
            with path.open("r+b", buffering=0) as file:
                for write in reversed(writes):
                    _put(file.fileno(), write.at, write.old, write.size_before)
                for write in writes:
                    luck = dice.choice(("kept", "lost", "torn"))
                    if luck != "lost":
                        _put(file.fileno(), write.at, self._survived(write, luck), write.size_after)
        self._unsynced.clear()
        # Closed when nobody stands in a transaction any more; what was not committed is rolled back.
        for database in self._databases:
            self._process.loop.call_soon(database.close, context=NOBODY)

    def _survived(self, write: _Written, luck: str) -> bytes:
        """Give what of a write is on the disk."""
        if luck == "kept":
            return write.new
        cut = SECTOR * self._steps.dice.randrange(len(write.new) // SECTOR + 1)
        return write.new[:cut] + write.old[cut : len(write.new)]

    # ---- the port ----

    def write(self, path: Path, content: bytes, mode: int = PRIVATE) -> None:
        """Write a whole file, by way of another one beside it."""
        beside = path.with_name(path.name + ".new")

        def leave(part: bytes) -> None:
            beside.write_bytes(part)
            beside.chmod(mode)

        def torn() -> None:
            # The last of the three is a rename that had reached the disk although its folder was not synced.
            leave(content[: self._steps.dice.choice((0, len(content) // 2, len(content)))])
            if beside.stat().st_size == len(content) and self._steps.dice.random() < 0.5:
                beside.replace(path)

        def whole() -> None:
            leave(content)
            beside.replace(path)

        self.step(f"write {path.name}", whole, torn, grows=True)

    def open(self, path: Path, mode: int = PRIVATE) -> SimulatedFile:
        """Open a file; making it is a step."""
        if not path.exists():

            def make() -> None:
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, mode))

            self.step(f"make {path.name}", make, lambda: self._perhaps(make), grows=True)
        if not self._process.alive:
            raise Died
        return SimulatedFile(self, path)

    def _perhaps(self, work: Callable[[], object]) -> None:
        """Do it or not."""
        if self._steps.dice.random() < 0.5:
            work()

    def rename(self, old: Path, new: Path) -> None:
        """Rename a file or a folder; what was not synced is lost under its new name too."""

        def work() -> None:
            old.replace(new)
            self._unsynced.pop(new, None)
            for path in [path for path in self._unsynced if path.is_relative_to(old)]:
                self._unsynced[new / path.relative_to(old)] = self._unsynced.pop(path)

        self.step(f"rename {new.name}", work, lambda: self._perhaps(work))

    def remove(self, path: Path) -> None:
        """Remove a file."""
        if path.exists():

            def work() -> None:
                path.unlink()
                self._unsynced.pop(path, None)

            self.step(f"remove {path.name}", work, lambda: self._perhaps(work))

    def shred(self, path: Path) -> None:
        """Overwrite and remove a file; torn, it is overwritten in part."""
        if path.exists():

            def torn() -> None:
                raw = path.read_bytes()
                cut = self._steps.dice.choice((0, len(raw) // 2, len(raw)))
                path.write_bytes(self._steps.dice.randbytes(cut) + raw[cut:])

            self.step(f"shred {path.name}", path.unlink, torn)

    def folder(self, path: Path) -> None:
        """Make a folder with its parents."""
        if not path.is_dir():
            self.folder(path.parent)
            self.step(f"folder {path.name}", lambda: path.mkdir(mode=PRIVATE_FOLDER), grows=True)

    def database(self, path: Path) -> sqlite3.Connection:
        """Open a SQLite file."""
        if not self._process.alive:
            raise Died
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE))
        opened = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._databases.append(opened)
        return opened

    def commit(self, commit: Callable[[], object]) -> None:
        """Commit, or die before or after it; SQLite itself leaves nothing in between."""
        try:
            self.step("commit", commit, grows=True)
        except OSError:
            raise DiskFull from None

    # ---- files ----

    def note_write(self, path: Path, at: int, content: bytes) -> None:
        """Write to a file, and remember what stood there."""
        if not self._process.alive:
            raise Died
        size = path.stat().st_size
        if at + len(content) > size:
            self._must_have_room()
        with path.open("r+b", buffering=0) as file:
            old = os.pread(file.fileno(), len(content), at)
            os.pwrite(file.fileno(), content, at)
        written = _Written(at, old, content, size, max(size, at + len(content)))
        self._unsynced.setdefault(path, []).append(written)

    def note_resize(self, path: Path, size: int) -> None:
        """Cut a file off or lengthen it, and remember its end."""
        if not self._process.alive:
            raise Died
        before = path.stat().st_size
        with path.open("r+b", buffering=0) as file:
            old = os.pread(file.fileno(), max(0, before - size), size)
            os.ftruncate(file.fileno(), size)
        self._unsynced.setdefault(path, []).append(_Written(size, old, b"", before, size))

    def sync(self, path: Path) -> None:
        """Make what was written to a file last."""
        self.step(f"sync {path.name}", lambda: self._unsynced.pop(path, None))


class SimulatedFile:
    """A file of a simulated disk."""

    def __init__(self, disk: SimulatedDisk, path: Path) -> None:
        """Open `path`."""
        self._disk = disk
        self._path = path

    def write(self, at: int, content: Bytes) -> None:
        """Write all of `content` at byte `at`."""
        self._disk.note_write(self._path, at, bytes(content))

    def resize(self, size: int) -> None:
        """Cut off or add zeros."""
        self._disk.note_resize(self._path, size)

    def sync(self) -> None:
        """Make everything that was written last."""
        self._disk.sync(self._path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Forget it; a file that is closed is not synced by that."""


def _put(descriptor: int, at: int, content: bytes, size: int) -> None:
    """Write bytes, and let the file end where it ended."""
    os.pwrite(descriptor, content, at)
    os.ftruncate(descriptor, size)
