"""One part of an installation on a machine of its own: where it listens, where its peers are, whom it must know.

DATA/serve.json says the first two; an operator may edit it. Cards come from the ceremony (docs/ceremony.md).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moiety.cli.starting import Address, address, addresses
from moiety.cli.supervisor import ASKS
from moiety.foundation.envelopes import write_durably
from moiety.foundation.errors import BadInput, Fault
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from moiety.cli.installation import Installation

# Whose cards each part needs: those whom it asks, those who ask it, and those whose keys it seals to or checks.
KNOWS: Mapping[Role, tuple[Role, ...]] = {
    Role.GATE: (Role.EYE, Role.VAULT_A, Role.VAULT_B, Role.MINT, Role.WITNESS),
    Role.EYE: (Role.GATE, Role.VAULT_A, Role.VAULT_B),
    Role.VAULT_A: (Role.GATE, Role.EYE, Role.VAULT_B, Role.MINT, Role.WITNESS),
    Role.VAULT_B: (Role.GATE, Role.EYE, Role.VAULT_A, Role.MINT, Role.WITNESS),
    Role.MINT: (Role.GATE, Role.VAULT_A, Role.VAULT_B),
    Role.WITNESS: (Role.GATE, Role.VAULT_A, Role.VAULT_B),
}
FILE = "serve.json"


@dataclass(frozen=True, slots=True)
class Where:
    """Where a part listens, and where those are whom it asks."""

    listen: Address
    peers: Mapping[Role, Address]

    @classmethod
    def read(cls, listen: str, peers: Iterable[str]) -> Where:
        """Read the options --listen HOST:PORT and --peer ROLE=HOST:PORT.

        Raises:
            BadInput: they are something else.

        """
        return cls(address(listen), addresses(peers))

    def save(self, at: Installation) -> None:
        """Write it to the part's folder."""
        peers = {role: _text(where) for role, where in self.peers.items()}
        content = json.dumps({"listen": _text(self.listen), "peers": peers}, indent=1).encode()
        # A crash leaves the old file or the new one.
        write_durably(at.data / FILE, content)

    @classmethod
    def load(cls, at: Installation) -> Where:
        """Read it from the part's folder.

        Raises:
            Fault: it cannot be understood.

        """
        try:
            found = json.loads((at.data / FILE).read_bytes())
            return cls.read(found["listen"], [f"{role}={where}" for role, where in found["peers"].items()])
        except (OSError, ValueError, TypeError, KeyError, AttributeError, BadInput):
            raise Fault(f"The file {FILE!r} is missing or cannot be understood.") from None

    def but(self, listen: str | None, peers: Iterable[str]) -> Where:
        """Give the same with some addresses replaced."""
        return Where(address(listen) if listen else self.listen, {**self.peers, **addresses(peers)})


def _text(where: Address) -> str:
    """Write HOST:PORT, [IPV6]:PORT."""
    host, port = where
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def role_of(at: Installation) -> Role:
    """Give the part that this folder holds.

    Raises:
        BadInput: it holds all of them.

    """
    if at.part is None:
        raise BadInput("All parts of this installation are in one folder: run them with `moiety up`.")
    return at.part


def must_be_complete(at: Installation, role: Role, where: Where) -> None:
    """Check before the start that the part knows everybody it has to do with.

    Raises:
        BadInput: a card or an address is missing; the message names it and what to do.

    """
    known = at.peers(role)
    strangers = [one for one in KNOWS[role] if one not in known]
    if strangers:
        raise BadInput(f"Cards are missing: {', '.join(strangers)}. Add them with `moiety card add FILE`.")
    nowhere = [one for one in ASKS[role] if one not in where.peers]
    if nowhere:
        raise BadInput(f"Addresses are missing: {', '.join(nowhere)}. Give --peer {nowhere[0]}=HOST:PORT.")
