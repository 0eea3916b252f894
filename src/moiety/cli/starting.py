"""What every way of starting parts needs: one runner per folder, a socket that listens, addresses read from words."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from typing import TYPE_CHECKING

from moiety.foundation.errors import BadInput
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Iterable
    from io import TextIOWrapper
    from pathlib import Path


Address = tuple[str, int]

PORT_MAX = 65_535


def take_lock(run: Path) -> TextIOWrapper:
    """Keep others from running the same folder, for as long as the file that this gives is open.

    Raises:
        BadInput: somebody runs it.

    """
    lock = os.fdopen(os.open(run / "lock", os.O_WRONLY | os.O_CREAT, 0o600), "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise BadInput("This installation is running already.") from None
    return lock


def listen(address: Address) -> socket.socket:
    """Open a listening socket; port 0 is any free one.

    Raises:
        BadInput: it is taken, or may not be used.

    """
    host, port = address
    try:
        listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(256)
    except OSError:
        raise BadInput(f"Port {port} of {host} is taken or may not be used; choose another.") from None
    return listener


def turn_away(listener: socket.socket) -> None:
    """End the connections that wait at a socket which nobody serves, so that their askers need not wait."""
    with contextlib.suppress(OSError):
        listener.settimeout(0)
        while True:
            listener.accept()[0].close()


def address(text: str) -> Address:
    """Read HOST:PORT, [IPV6]:PORT.

    Raises:
        BadInput: it is something else.

    """
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > PORT_MAX:
        raise BadInput(f"An address is HOST:PORT, such as vault-b.example.org:7103; {text!r} is none.")
    return host.removeprefix("[").removesuffix("]"), int(port)


def addresses(texts: Iterable[str]) -> dict[Role, Address]:
    """Read ROLE=HOST:PORT, one for each part.

    Raises:
        BadInput: it is something else.

    """
    found = {}
    for text in texts:
        role, _, where = text.partition("=")
        if role not in set(Role):
            raise BadInput(f"There is no part {role!r}; parts are {', '.join(Role)}.")
        found[Role(role)] = address(where)
    return found
