"""The local socket of a part: how commands on its own machine reach it while it runs, and nothing from elsewhere can.

One JSON object a line, in both directions: {"word": …, "given": {…}} is answered by {"told": {…}} or by
{"slug": …, "detail": …}. Only the user who runs the part, and root, may open it (mode 0600, and SO_PEERCRED where
the system has it).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
import os
import socket
import struct
from typing import TYPE_CHECKING, Any

from moiety.foundation.errors import BadInput, DiskFull, Forbidden, PartDown, Refusal, Unavailable, refusal_of
from moiety.watch import kind_of, place

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

_log = logging.getLogger(__name__)

LINE_BYTES_MAX = 16 << 20
ASK_SECONDS = 3600.0
NAME = "local.sock"


@contextlib.contextmanager
def _reachable(path: Path) -> Iterator[str]:
    """Give a name for `path` that is short enough for a socket's address, whatever folder it lies in."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        short = f"/proc/self/fd/{folder}"
        yield f"{short}/{path.name}" if os.path.isdir(short) else str(path)  # noqa: PTH112 - a name, not a file of ours
    finally:
        os.close(folder)


class LocalServer:
    """Answers words from this machine."""

    def __init__(self, path: Path, handlers: dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]]) -> None:
        """Listen at `path` once started; a socket that a crash left there is replaced."""
        self._path = path
        self._handlers = handlers
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Begin to listen."""
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # Nobody can connect before `listen`, and by then the mode is set.
        with _reachable(self._path) as name:
            listener.bind(name)
        self._path.chmod(0o600)
        self._server = await asyncio.start_unix_server(self._accept, sock=listener, limit=LINE_BYTES_MAX)

    async def close(self) -> None:
        """Stop listening."""
        if self._server:
            self._server.close()
            self._path.unlink(missing_ok=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the lines of one caller."""
        try:
            while line := await reader.readline():
                reply = await self._answer(writer.get_extra_info("socket"), line)
                writer.write(json.dumps(reply).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError, asyncio.CancelledError):
            pass  # the caller went away or sent a line without end
        finally:
            writer.close()

    async def _answer(self, link: socket.socket, line: bytes) -> dict[str, Any]:
        """Answer one line; every way of failing becomes a refusal."""
        try:
            _must_be_our_user(link)
            return {"told": await self._ask(line)}
        except Refusal as refusal:
            return {"slug": refusal.slug, "detail": str(refusal)}
        except Exception as error:  # noqa: BLE001 - the last line of defence: the asker learns that it failed
            if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
                return {"slug": DiskFull.slug, "detail": str(DiskFull())}
            # The text of an error could hold content; its kind does not.
            _log.error("a local word failed: %(error)s at %(at)s", {"error": kind_of(error), "at": place(error)})
            return {"slug": Unavailable.slug, "detail": "The part failed on this; see its log."}

    async def _ask(self, line: bytes) -> dict[str, Any]:
        """Find the handler of a line's word."""
        try:
            asked = json.loads(line)
            word, given = asked["word"], asked["given"]
        except (ValueError, TypeError, KeyError, RecursionError):
            raise BadInput("A local question is a JSON object with a word and what is given.") from None
        if word not in self._handlers or not isinstance(given, dict):
            raise BadInput("This part does not know that word.")
        return await self._handlers[word](given)


def _caller(link: socket.socket) -> int:
    """Give the user id of the process at the other end; our own where the system cannot tell."""
    if not hasattr(socket, "SO_PEERCRED"):
        return os.getuid()
    raw = link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    user: int = struct.unpack("3i", raw)[1]
    return user


def _must_be_our_user(link: socket.socket) -> None:
    """Turn away whoever is neither our user nor root."""
    if _caller(link) not in {0, os.getuid()}:
        raise Forbidden("Only the user who runs this part may ask it that.")


class LocalClient:
    """Asks a part on this machine."""

    def __init__(self, path: Path, part: str) -> None:
        """Talk to the socket at `path`; `part` names it in errors."""
        self._path = path
        self._part = part

    async def ask(self, word: str, given: dict[str, Any] | None = None, seconds: float = ASK_SECONDS) -> dict[str, Any]:
        """Ask one word.

        Raises:
            PartDown: it does not run on this machine, or ended before it answered.
            Refusal: what it answered.

        """
        try:
            async with asyncio.timeout(seconds):
                reply = await self._exchange(json.dumps({"word": word, "given": given or {}}).encode() + b"\n")
        except (OSError, TimeoutError, ValueError):
            raise PartDown(f"{self._part} does not run on this machine, or does not answer.") from None
        if "told" in reply:
            told: dict[str, Any] = reply["told"]
            return told
        raise refusal_of(str(reply.get("slug")), str(reply.get("detail")))

    async def _exchange(self, line: bytes) -> dict[str, Any]:
        """Send a line and read a line."""
        with _reachable(self._path) as name:
            reader, writer = await asyncio.open_unix_connection(name, limit=LINE_BYTES_MAX)
        try:
            writer.write(line)
            await writer.drain()
            reply: dict[str, Any] = json.loads(await reader.readline() or b"null") or {}
            return reply
        finally:
            writer.close()

    def ask_now(self, word: str, given: dict[str, Any] | None = None, seconds: float = ASK_SECONDS) -> dict[str, Any]:
        """Ask from a command, outside any event loop."""
        return asyncio.run(self.ask(word, given, seconds))
