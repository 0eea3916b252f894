"""What a part does to its disk so that it lasts. It is passed in, so that a simulation can cut the power at every step.

Only what changes the disk goes through it; reading is reading. Every method but `File.write`, `File.resize` and
`database` has lasted when it returns; those last from `File.sync` and `commit` on.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import sqlite3
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Bytes = bytes | bytearray | memoryview

PRIVATE = 0o600
PRIVATE_FOLDER = 0o700
# Long runs go past the system's cache of files, where it can be done: fresh pages for it cost more than the disk does.
DIRECT: int = getattr(os, "O_DIRECT", 0)
DIRECT_BYTES_LEAST = 1 << 20
SECTOR = 4096


def direct_fits(at: int, content: memoryview) -> bool:
    """Whether a run lies on whole sectors, in the file and in writable memory, and is long enough to go directly."""
    if not DIRECT or content.readonly or content.nbytes < DIRECT_BYTES_LEAST or (at | content.nbytes) % SECTOR:
        return False
    return ctypes.addressof(ctypes.c_char.from_buffer(content)) % SECTOR == 0


class File(Protocol):
    """A file that is open for writing at any place; closing it makes nothing durable."""

    def write(self, at: int, content: Bytes) -> None:
        """Write all of `content` at byte `at`; a crash before `sync` may keep any part of it."""
        ...

    def resize(self, size: int) -> None:
        """Cut off or add zeros, until `size` bytes are left; a crash before `sync` may undo it."""
        ...

    def sync(self) -> None:
        """Make everything that was written last."""
        ...

    def __enter__(self) -> Self:
        """Use it for a while."""
        ...

    def __exit__(self, *_: object) -> None:
        """Close it."""
        ...


class Disk(Protocol):
    """Where one part keeps its files.

    Raises:
        OSError: with ENOSPC or EDQUOT when there is no room; what the method had to change is as it was before.

    """

    def write(self, path: Path, content: bytes, mode: int = PRIVATE) -> None:
        """Write a whole file: after a crash it is the old one or the new one, never a part."""
        ...

    def open(self, path: Path, mode: int = PRIVATE) -> File:
        """Open a file for writing at any place; one that is missing is made first, empty, and its name lasts."""
        ...

    def rename(self, old: Path, new: Path) -> None:
        """Give a file another name in the same folder, over whatever has that name: after a crash one of the two."""
        ...

    def remove(self, path: Path) -> None:
        """Remove a file, if it is there."""
        ...

    def shred(self, path: Path) -> None:
        """Overwrite a file with random bytes, then remove it; if it is there."""
        ...

    def folder(self, path: Path) -> None:
        """Make a private folder with its parents, if it is not there."""
        ...

    def database(self, path: Path) -> sqlite3.Connection:
        """Open or make a private SQLite file in autocommit mode, for use from any thread."""
        ...

    def commit(self, commit: Callable[[], object]) -> None:
        """Carry out a database's commit.

        Raises:
            DiskFull: there is no room; nothing was kept.

        """
        ...


class SystemFile:
    """A file of the machine's own disk."""

    def __init__(self, descriptor: int) -> None:
        """Take over an open descriptor."""
        self._descriptor = descriptor

    def write(self, at: int, content: Bytes) -> None:
        """Write all of `content` at byte `at`."""
        left = memoryview(content).cast("B")
        with self._past_the_cache(at, left):
            while left:
                done = os.pwrite(self._descriptor, left, at)
                at, left = at + done, left[done:]

    @contextlib.contextmanager
    def _past_the_cache(self, at: int, content: memoryview) -> Iterator[None]:
        """Write long runs on whole sectors directly, where the file system can."""
        flags = fcntl.fcntl(self._descriptor, fcntl.F_GETFL)
        with contextlib.suppress(OSError):
            if direct_fits(at, content):
                fcntl.fcntl(self._descriptor, fcntl.F_SETFL, flags | DIRECT)
        try:
            yield
        finally:
            fcntl.fcntl(self._descriptor, fcntl.F_SETFL, flags)

    def resize(self, size: int) -> None:
        """Cut off or add zeros, until `size` bytes are left."""
        os.ftruncate(self._descriptor, size)

    def sync(self) -> None:
        """Make everything that was written last."""
        os.fsync(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def _sync_folder(path: Path) -> None:
    """Make the names in a folder last."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class SystemDisk:
    """The machine's own disk."""

    def write(self, path: Path, content: bytes, mode: int = PRIVATE) -> None:
        """Write beside it, sync, rename, sync the folder."""
        beside = path.with_name(path.name + ".new")
        with SystemFile(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)) as file:
            file.write(0, content)
            file.sync()
        # A crash before the rename leaves only `.new`, which the next write replaces.
        self.rename(beside, path)

    def open(self, path: Path, mode: int = PRIVATE) -> SystemFile:
        """Open a file, and sync the folder where it had to be made."""
        fresh = not path.exists()
        file = SystemFile(os.open(path, os.O_RDWR | os.O_CREAT, mode))
        if fresh:
            _sync_folder(path.parent)
        return file

    def rename(self, old: Path, new: Path) -> None:
        """Rename, and sync the folder."""
        old.replace(new)
        _sync_folder(new.parent)

    def remove(self, path: Path) -> None:
        """Remove a file, and sync the folder."""
        if path.exists():
            path.unlink()
            _sync_folder(path.parent)

    def shred(self, path: Path) -> None:
        """Overwrite, sync, remove, sync the folder."""
        if path.exists():
            with SystemFile(os.open(path, os.O_RDWR)) as file:
                file.write(0, os.urandom(path.stat().st_size))
                file.sync()
            self.remove(path)

    def folder(self, path: Path) -> None:
        """Make what is missing from the top down, and sync each parent."""
        if not path.is_dir():
            self.folder(path.parent)
            path.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
            _sync_folder(path.parent)

    def database(self, path: Path) -> sqlite3.Connection:
        """Open a SQLite file; SQLite gives its log the file's mode, so the file must be private before it opens it."""
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE))
        return sqlite3.connect(path, isolation_level=None, check_same_thread=False)

    def commit(self, commit: Callable[[], object]) -> None:
        """Leave it to the database."""
        commit()


SYSTEM_DISK = SystemDisk()
