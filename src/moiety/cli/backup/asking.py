"""How a command reaches the part it backs up: through its local socket, or on its folder while it stands still."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from moiety.cli.starting import take_lock
from moiety.foundation.errors import BadInput, PartDown
from moiety.wire.local import NAME, LocalClient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moiety.cli.installation import Installation
    from moiety.wire.kinds import Role


def ask_for_backup(made: Installation, role: Role, given: dict[str, Any]) -> dict[str, Any]:
    """Let a part back itself up, or do it for a part that does not run.

    Raises:
        BadInput: there is no such part here.
        PartDown: it runs and does not answer.
        Refusal: what it answered.

    """
    try:
        return LocalClient(made.folder(role) / NAME, role).ask_now("backup", given)
    except PartDown:
        pass
    from moiety.cli import places  # noqa: PLC0415 - loads all that parts are made of, which other commands need not
    from moiety.cli.backup.taking import Taking  # noqa: PLC0415 - as above

    with _resting(made, role):
        if not (made.keys / role / "signing.key").exists():
            raise BadInput(f"There is no {role} on this machine to back up.")
        return asyncio.run(Taking(places.place(made, role, {})).backup(given))


@contextmanager
def _resting(made: Installation, role: Role) -> Iterator[None]:
    """Keep a part from being started while it is backed up.

    Raises:
        PartDown: it runs, or is just being started, and does not answer.

    """
    try:
        lock = take_lock(made.run)
    except BadInput:
        raise PartDown(f"{role} does not answer at this moment; try again.") from None
    with lock:
        yield


@contextmanager
def standing_still(made: Installation, role: Role) -> Iterator[None]:
    """Keep a part from being started while its folder is worked on.

    Raises:
        BadInput: it runs.

    """
    try:
        lock = take_lock(made.run)
    except BadInput:
        raise BadInput(f"{role} runs, or a command works on its folder; stop it first.") from None
    with lock:
        yield
