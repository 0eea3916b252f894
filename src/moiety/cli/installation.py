"""Where an installation lies on disk, and how its parts are introduced to each other on one machine.

DATA/installation.json          tenant and version; the part, where the folder holds one part alone
DATA/<role>/                    what a role stores; its peers' cards in peers.json, which keys it made in keys.json
KEYS/<role>/                    a role's own keys (DATA/keys unless MOIETY_KEYS says otherwise)
DATA/run/, DATA/logs/           sockets of the moment, logs
"""

from __future__ import annotations

import json
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from moiety.foundation import settings
from moiety.foundation.clock import SystemClock
from moiety.foundation.disk import SYSTEM_DISK
from moiety.foundation.envelopes import KeyRing, write_durably
from moiety.foundation.errors import AlreadyThere, BadInput, Fault
from moiety.wire.cards import Peers
from moiety.wire.identity import Identity
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from moiety.foundation.clock import Clock
    from moiety.foundation.disk import Disk

FORMAT = 1
_TENANT = re.compile(r"ten_[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Installation:
    """The folders of one installation; `part` is the one that is here where the others are on other machines."""

    data: Path
    keys: Path
    tenant: str
    part: Role | None = None

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

    def must_be_whole(self) -> None:
        """Check that all parts are here.

        Raises:
            BadInput: this folder holds one part alone.

        """
        if self.part:
            raise BadInput(f"This folder holds {self.part} alone; run it with `moiety serve`.")

    def introduce(self) -> None:
        """Make what keys are missing and give every role the others' cards; on one machine only.

        Raises:
            BadInput: this folder holds one part alone.

        """
        self.must_be_whole()
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


def _new(data: Path, tenant: str, **about: str) -> None:
    """Make the folder of a new installation.

    Raises:
        BadInput: the folder holds something else.

    """
    if data.exists() and any(data.iterdir()):
        raise BadInput(f"The folder {data.name!r} is not empty and holds no installation of moiety.")
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    # A crash leaves an empty folder or a whole file; keys and cards are made later where missing.
    write_durably(data / "installation.json", json.dumps({"format": FORMAT, "tenant": tenant, **about}).encode())


def new_tenant() -> str:
    """Draw the name of a new installation."""
    return f"ten_{secrets.token_hex(8)}"


def create(data: Path) -> Installation:
    """Make a new installation in an empty or missing folder, or open the one that is there.

    Raises:
        BadInput: the folder holds something else.

    """
    if not exists(data):
        _new(data, new_tenant())
    return load(data)


def begin(data: Path, role: Role, tenant: str | None) -> Installation:
    """Make the folder of one part with keys of its own; done again after a crash it goes on where it stopped.

    Raises:
        AlreadyThere: the folder holds a part that is complete.
        BadInput: the tenant is none, or the folder holds something else.

    """
    if tenant and not _TENANT.fullmatch(tenant):
        raise BadInput("A tenant is ten_ and 16 hexadecimal digits, as the first part's `init` printed it.")
    if not exists(data):
        _new(data, tenant or new_tenant(), part=role)
    made = load(data)
    begun = made.folder(role) / "peers.json"
    if made.part is not role or begun.exists():
        raise AlreadyThere(f"The folder {data.name!r} holds {made.part or 'an installation'} already.")
    if tenant not in {None, made.tenant}:
        raise BadInput(f"The folder {data.name!r} was begun for another installation; remove it and begin anew.")
    made.keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    made.folder(role).mkdir(mode=0o700, exist_ok=True)
    made.identity(role)
    return made


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
        part = Role(about["part"]) if "part" in about else None
    except (ValueError, KeyError, TypeError):
        raise Fault("installation.json is damaged; restore it from a backup.") from None
    if form != FORMAT:
        raise Fault(f"This installation has format {form}; this program knows {FORMAT}.")
    os.chmod(data, 0o700)  # noqa: PTH101 - the mode must not follow the umask
    made = Installation(data, settings.folder("MOIETY_KEYS") or data / "keys", tenant, part)
    for folder in (made.run, made.logs):
        folder.mkdir(mode=0o700, exist_ok=True)
    return made
