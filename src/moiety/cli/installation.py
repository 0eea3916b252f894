"""Where an installation lies on disk, and how its parts are introduced to each other on one machine.

DATA/installation.json          tenant and version
DATA/<role>/                    what a role stores; its peers' cards in peers.json
KEYS/<role>/                    a role's own keys (DATA/keys unless MOIETY_KEYS says otherwise)
DATA/run/, DATA/logs/           sockets of the moment, logs
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from moiety.foundation import settings
from moiety.foundation.clock import SystemClock
from moiety.foundation.disk import SYSTEM_DISK
from moiety.foundation.envelopes import KeyRing, write_durably
from moiety.foundation.errors import BadInput, Fault
from moiety.wire.cards import Peers
from moiety.wire.identity import Identity
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from moiety.foundation.clock import Clock
    from moiety.foundation.disk import Disk

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Installation:
    """The folders of one installation."""

    data: Path
    keys: Path
    tenant: str

    def folder(self, role: Role) -> Path:
        """Where a role stores what it holds."""
        return self.data / role

    def ring(self, role: Role, disk: Disk = SYSTEM_DISK) -> KeyRing:
        """Open a role's own keys."""
        return KeyRing(self.keys / role, disk, self.folder(role) / "keys.json")

    def identity(self, role: Role, clock: Clock | None = None, disk: Disk = SYSTEM_DISK) -> Identity:
        """Load who a role is."""
        return Identity(role, self.ring(role, disk), clock or SystemClock())

    def peers(self, role: Role) -> Peers:
        """Load whom a role knows."""
        return Peers.load(self.folder(role) / "peers.json")

    @property
    def run(self) -> Path:
        """Where the running parts say how to reach them."""
        return self.data / "run"

    @property
    def logs(self) -> Path:
        """Where the parts' logs go."""
        return self.data / "logs"

    def introduce(self) -> None:
        """Make what keys are missing and give every role the others' cards; on one machine only."""
        # Made here, because a parent that is made on the way gets the umask's mode.
        self.keys.mkdir(mode=0o700, parents=True, exist_ok=True)
        cards = [self.identity(role).card() for role in Role]
        for role in Role:
            self.folder(role).mkdir(mode=0o700, parents=True, exist_ok=True)
            # A crash between two roles is mended at the next start, which writes all of them again.
            Peers(cards).save(self.folder(role) / "peers.json")
        from moiety.cli import keeping  # noqa: PLC0415 - most commands need no keys of keepers

        keeping.begin_books(self, SystemClock())


def where(data: Path | None) -> Path:
    """Say which data folder is meant: the option, MOIETY_DATA, or the default."""
    return Path(data or settings.setting("MOIETY_DATA")).expanduser().absolute()


def exists(data: Path) -> bool:
    """Whether there is an installation in `data`."""
    return (data / "installation.json").exists()


def create(data: Path) -> Installation:
    """Make a new installation in an empty or missing folder, or open the one that is there.

    Raises:
        BadInput: the folder holds something else.

    """
    if not exists(data):
        if data.exists() and any(data.iterdir()):
            raise BadInput(f"The folder {data.name!r} is not empty and holds no installation of moiety.")
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        about = {"format": FORMAT, "tenant": f"ten_{secrets.token_hex(8)}"}
        # A crash leaves an empty folder or a whole file; keys and cards are made at each start where missing.
        write_durably(data / "installation.json", json.dumps(about).encode())
    return load(data)


def load(data: Path) -> Installation:
    """Open the installation in `data`.

    Raises:
        BadInput: there is none.
        Fault: it cannot be understood, or others may read it.

    """
    if not exists(data):
        raise BadInput(
            f"There is no installation in {data.name!r}; make one with `moiety up --data` or set MOIETY_DATA."
        )
    try:
        about = json.loads((data / "installation.json").read_bytes())
        tenant, form = str(about["tenant"]), int(about["format"])
    except (ValueError, KeyError, TypeError):
        raise Fault("installation.json is damaged; restore it from a backup.") from None
    if form != FORMAT:
        raise Fault(f"This installation has format {form}; this program knows {FORMAT}.")
    os.chmod(data, 0o700)  # noqa: PTH101 - the mode must not follow the umask
    made = Installation(data, settings.folder("MOIETY_KEYS") or data / "keys", tenant)
    for folder in (made.run, made.logs):
        folder.mkdir(mode=0o700, exist_ok=True)
    return made
