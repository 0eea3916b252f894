"""The sealed file: a GNU tar inside age, written and read as a stream, so that nothing lies anywhere in the clear.

The last two members are the manifest, with the SHA-256 of all others, and its signature. Standard tools open it too:
`age -d`, then `tar`.
"""

from __future__ import annotations

import errno
import hashlib
import tarfile
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pyrage

from moiety.foundation.errors import DiskFull, Unavailable, Unverified

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from pathlib import Path

    from moiety.archive.age_keys import Identity
    from moiety.foundation.disk import Disk, File

BLOCK = 512
PIECE = 1 << 20
NAME_BYTES_MAX = 100
_PRIVATE = 0o600
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True, slots=True)
class Member:
    """One thing in the file: its name, its size in bytes, and its content piece by piece."""

    name: str
    size: int
    content: Iterable[bytes]


def member(name: str, content: bytes) -> Member:
    """Make a member of bytes that are at hand."""
    return Member(name, len(content), [content])


class Sums:
    """Sizes and SHA-256 of what goes by, by name."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.files: dict[str, tuple[int, str]] = {}

    def over(self, one: Member) -> Iterator[bytes]:
        """Let a member's content through.

        Raises:
            Unavailable: it has another size than it was said to have.

        """
        digest, size = hashlib.sha256(), 0
        for piece in one.content:
            digest.update(piece)
            size += len(piece)
            yield piece
        if size != one.size:
            raise Unavailable("A file changed while it was copied; nothing was kept. Try again.")
        self.files[one.name] = (size, digest.hexdigest())


def tarred(members: Iterable[Member], sums: Sums, closing: Callable[[Sums], list[Member]]) -> Iterator[bytes]:
    """Give the tar of `members`, then of what `closing` makes of their sums."""
    for one in members:
        yield from _framed(one, sums.over(one))
    for one in closing(sums):
        yield from _framed(one, one.content)
    yield bytes(2 * BLOCK)


def _framed(one: Member, content: Iterable[bytes]) -> Iterator[bytes]:
    """Put a header in front and fill up to a block."""
    if len(one.name.encode()) > NAME_BYTES_MAX:
        raise Unavailable("A file's name is too long for a backup.")
    header = tarfile.TarInfo(one.name)
    header.size, header.mode = one.size, _PRIVATE
    yield header.tobuf(tarfile.GNU_FORMAT)
    yield from content
    yield bytes(-one.size % BLOCK)


class _Source:
    """A file to read from, over pieces; keeps the error that ended it, which the library turns into text."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = memoryview(b"")
        self.error: BaseException | None = None

    def read(self, size: int = -1) -> bytes:
        """Give up to `size` bytes; none at the end."""
        try:
            while not self._left:
                piece = next(self._pieces, None)
                if piece is None:
                    return b""
                self._left = memoryview(piece)
        except BaseException as error:
            self.error = error
            raise
        given, self._left = self._left[:size], self._left[size:]
        return bytes(given)


class _Target:
    """A file to write to, on the disk that was passed in; keeps the error that ended it."""

    def __init__(self, file: File) -> None:
        self._file = file
        self.size = 0
        self.digest = hashlib.sha256()
        self.error: BaseException | None = None

    def write(self, content: bytes) -> int:
        """Write behind what was written before."""
        try:
            self._file.write(self.size, content)
        except BaseException as error:
            self.error = error
            raise
        self.digest.update(content)
        self.size += len(content)
        return len(content)

    def flush(self) -> None:
        """Leave it to `sync`."""

    def must_be_whole(self) -> None:
        """Raise what a write ended with: the library passes over the error of its last."""
        if self.error is not None:
            raise self.error


def seal_file(path: Path, pieces: Iterator[bytes], key: Identity, disk: Disk) -> tuple[int, str]:
    """Seal a stream into the new file `path`, durably; returns its bytes and SHA-256 in hex.

    Raises:
        DiskFull: there is no room; nothing is left.
        Refusal: what the stream ended with; nothing is left.

    """
    source = _Source(pieces)
    target = None
    try:
        disk.remove(path)
        with disk.open(path) as file:
            target = _Target(file)
            # A crash leaves a `.part`, which the next backup removes.
            pyrage.encrypt_io(source, target, [key.to_public()])
            target.must_be_whole()
            file.sync()
    except (pyrage.EncryptError, OSError) as failed:
        with suppress(OSError):
            disk.remove(path)
        raise in_our_words(source.error or (target.error if target else None) or failed) from None
    except BaseException:
        with suppress(OSError):
            disk.remove(path)
        raise
    return target.size, target.digest.hexdigest()


def in_our_words(error: BaseException) -> BaseException:
    """Say in our own words why nothing could be written."""
    if isinstance(error, OSError):
        full = error.errno in _FULL
        return DiskFull() if full else Unavailable(f"The backup cannot be written: {error.strerror}.")
    return error


class Sink(Protocol):
    """What takes a backup apart."""

    def begin(self, name: str, size: int) -> None:
        """Expect a member."""
        ...

    def piece(self, content: bytes) -> None:
        """Take some of its content."""
        ...

    def end(self) -> None:
        """Take note that the member is whole."""
        ...


class _Untar:
    """A file to write a tar to; hands its members on."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._kept = bytearray()
        self._steps = self._read()
        self._wanted = next(self._steps)
        self.ended = False
        self.error: BaseException | None = None

    def write(self, content: bytes) -> int:
        """Take the next bytes of the stream."""
        try:
            self._kept += content
            at = 0
            while not self.ended and len(self._kept) - at >= self._wanted:
                piece = bytes(self._kept[at : at + self._wanted])
                at += self._wanted
                self._wanted = self._steps.send(piece)
            del self._kept[:at]
        except BaseException as error:
            self.error = error
            raise
        return len(content)

    def flush(self) -> None:
        """Nothing waits."""

    def _read(self) -> Generator[int, bytes, None]:
        """Ask for so many bytes, and be sent them."""
        while True:
            header = yield BLOCK
            if header == bytes(BLOCK):
                break
            info = _header(header)
            self._sink.begin(info.name, info.size)
            left = info.size
            while left:
                piece = yield min(left, PIECE)
                self._sink.piece(piece)
                left -= len(piece)
            if info.size % BLOCK:
                yield BLOCK - info.size % BLOCK
            self._sink.end()
        self.ended = True
        yield 1


def _header(block: bytes) -> tarfile.TarInfo:
    """Read one header.

    Raises:
        Unverified: it is none, or not of a plain file.

    """
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    except tarfile.HeaderError:
        info = None
    if info is None or not info.isreg() or info.size < 0:
        raise Unverified("The backup is no file of ours.")
    return info


def unseal_file(path: Path, key: Identity, sink: Sink) -> None:
    """Open what `seal_file` made, member by member. Nothing is known to be whole before this returns.

    Raises:
        Unverified: it was sealed to another key, cut short or changed.
        Refusal: what the sink ended with.

    """
    target = _Untar(sink)
    try:
        with path.open("rb") as file:
            pyrage.decrypt_io(file, target, [key])
    except (pyrage.DecryptError, OSError) as failed:
        if target.error is not None:
            raise in_our_words(target.error) from None
        if isinstance(failed, OSError) and failed.errno is not None:
            raise Unavailable(f"The file {path.name!r} cannot be read: {failed.strerror}.") from None
        raise Unverified(
            f"The backup {path.name!r} does not open: it is cut short, was changed, or has another key."
        ) from None
    if target.error is not None:
        raise in_our_words(target.error)
    if not target.ended:
        raise Unverified(f"The backup {path.name!r} is cut short.")
